/* SHA-256 against the examples of FIPS 180-4 (csrc.nist.gov, "Examples with Intermediate Values") and NIST's long message. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/sha256.h"

static void hash_in_pieces(const char *text, size_t n, size_t piece, char hex[65])
{
    struct kvl_sha256 hash;
    kvl_sha256_init(&hash);
    for (size_t i = 0; i < n; i += piece)
        kvl_sha256_update(&hash, text + i, n - i < piece ? n - i : piece);
    kvl_sha256_final(&hash, hex);
}

static void test_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *digest;
    } CASES[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char hex[65];
        hash_in_pieces(CASES[i].text, strlen(CASES[i].text), 1000, hex);
        assert_string_equal(hex, CASES[i].digest);
    }
}

/* A million letters a, whole and in pieces that leave every possible remainder. */
static void test_long_message(void **state)
{
    (void)state;
    enum { N = 1000000 };
    char *text = malloc(N), hex[65];
    memset(text, 'a', N);
    static const size_t PIECES[] = {N, 1, 3, 63, 64, 65, 127, 4096};
    for (size_t i = 0; i < sizeof PIECES / sizeof *PIECES; i++) {
        hash_in_pieces(text, N, PIECES[i], hex);
        assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors), cmocka_unit_test(test_long_message)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
