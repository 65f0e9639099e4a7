/* A folder of text files as a haystack: its sentences from some place on, over and over.
 *
 * A sentence ends with `.`, `!` or `?` and what closes behind it (quotes, brackets), where white space follows; or with its
 * paragraph; or, where neither comes for SENTENCE_MAX bytes, at the last blank before that (at a character's end where there is
 * none). Abbreviations are taken for ends: a needle may follow "Mr.". */
#include <string.h>

#include "datasets/needle/haystack.h"
#include "datasets/text_folder.h"

enum { SENTENCE_MAX = 600 };

struct folder {
    struct kvl_text text; /* paragraphs, "\n\n" between them */
    int64_t at;           /* where the next sentence begins */
    bool opens;           /* it opens a paragraph */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\0'; /* the text ends with NUL */
}

/* Bytes of a closing quote or bracket; 0: none. */
static int64_t closer(const char *at)
{
    static const char *const closers[] = {"\"", "'", ")", "]", "\xe2\x80\x9d", "\xe2\x80\x99", "\xc2\xbb"};
    for (size_t i = 0; i < sizeof closers / sizeof *closers; i++)
        if (strncmp(at, closers[i], strlen(closers[i])) == 0)
            return (int64_t)strlen(closers[i]);
    return 0;
}

/* End of the sentence that begins at `at`. */
static int64_t sentence_end(const struct kvl_text *text, int64_t at)
{
    int64_t blank = at, end = at;
    for (; end < text->n && text->data[end] != '\n' && end - at < SENTENCE_MAX; end++) {
        if (text->data[end] == ' ')
            blank = end;
        if (!strchr(".!?", text->data[end]))
            continue;
        int64_t close = end + 1, n;
        while ((n = closer(text->data + close)) > 0)
            close += n;
        if (is_space(text->data[close]))
            return close;
    }
    if (is_space(text->data[end]))
        return end;
    if (blank > at)
        return blank;
    while ((text->data[end] & 0xc0) == 0x80)
        end--;
    return end;
}

/* Past the white space behind a sentence. */
static void move_on(struct folder *folder, int64_t end)
{
    const char *data = folder->text.data;
    folder->opens = data[end] == '\n';
    while (data[end] == ' ' || data[end] == '\n')
        end++;
    folder->at = end < folder->text.n ? end : 0;
    folder->opens = folder->opens || folder->at == 0;
}

static enum kvl_status folder_begin(void *state, const struct kvl_haystack_source *source)
{
    struct folder *folder = state;
    KVL_TRY(kvl_text_folder_read(source->folder, &folder->text));
    int64_t at = kvl_random_scale(source->start, folder->text.n);
    while (at > 0 && ((folder->text.data[at] & 0xc0) == 0x80 || folder->text.data[at] == '\n'))
        at--;
    move_on(folder, at > 0 ? sentence_end(&folder->text, at) : folder->text.n);
    return KVL_OK;
}

static enum kvl_status folder_next(void *state, struct kvl_text *text, bool *opens)
{
    struct folder *folder = state;
    int64_t end = sentence_end(&folder->text, folder->at);
    KVL_TRY(kvl_text_append(text, folder->text.data + folder->at, end - folder->at));
    *opens = folder->opens;
    move_on(folder, end);
    return KVL_OK;
}

static void folder_end(void *state)
{
    struct folder *folder = state;
    kvl_text_free(&folder->text);
}

const struct kvl_haystack_kind kvl_haystack_folder = {
    .name = "folder",
    .paragraph_break = "\n\n",
    .needle_alone = false,
    .state_size = sizeof(struct folder),
    .begin = folder_begin,
    .next = folder_next,
    .end = folder_end,
};
