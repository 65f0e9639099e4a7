/* Wrong command lines: each gets exactly one sentence on stderr that names what is wrong, exit code 2 for wrong usage and 1 for a
 * failure, nothing on stdout, and leaves no file behind. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/golden.h"
#include "tests/support/model_folder.h"
#include "tests/support/process.h"

/* $M is a small model's folder, $D a folder of the test's own. */
#define GENERATE "generate $M --prompt 'hello there' --new-tokens 2 "
#define EVAL "eval $M --method snapkv --task needle/single_noise --context 512 --samples 1 "
#define ANALYZE(name) "analyze " name " $M --task needle/single_noise --context 512 --samples 1 "
#define BENCH "bench $M --method snapkv --context 64 --samples 2 --warmup 0 --force "

struct wrong {
    const char *line;
    int code;
    const char *part; /* of the sentence */
};

static const struct wrong lines[] = {
    /* commands */
    {"", 2, "no command"},
    {"''", 2, "unknown command ''"},
    {"evl", 2, "'eval'"},
    {"benhc", 2, "'bench'"},
    {"Generate", 2, "'generate'"},
    {"tokenise", 2, "'tokenize'"},
    {"raport", 2, "'report'"},
    {"comapre", 2, "'compare'"},
    {"--version", 2, "--version"},
    {"--jsno", 2, "--jsno"},
    {"'a\nb'", 2, "a?b"},
    {"'\xff'", 2, "unknown command"},
    /* list */
    {"list", 2, "needs models|methods"},
    {"list ''", 2, "empty"},
    {"list model", 2, "'models'"},
    {"list taks", 2, "'tasks'"},
    {"list nothing", 2, "nothing"},
    {"list models tasks", 2, "'tasks'"},
    {"list models --seed 1", 2, "--seed"},
    {"list models --json=yes", 2, "--json takes no value"},
    {"list models --jsn", 2, "--json"},
    {"list models -x", 2, "-x"},
    /* names, with the near one */
    {EVAL "--method snapvk", 2, "'snapkv'"},
    {EVAL "--method SnapKV", 2, "'snapkv'"},
    {EVAL "--method full,fastvk", 2, "'fastkv'"},
    {EVAL "--method ''", 2, "--method"},
    {EVAL "--method full,", 2, "--method"},
    {EVAL "--method full,,snapkv", 2, "--method"},
    {EVAL "--method 'full snapkv'", 2, "full snapkv"},
    {EVAL "--task needle/single_nois", 2, "needle/single_noise"},
    {EVAL "--task needle/multikey", 2, "needle/multi_key"},
    {EVAL "--task needle", 2, "needle"},
    {EVAL "--task ''", 2, "--task"},
    {EVAL "--profile papr", 2, "papr"},
    {EVAL "--profile paper,x", 2, "'x'"},
    {EVAL "--backend gpu", 2, "gpu"},
    {EVAL "--backend cuda", 1, "cuda"},
    {EVAL "--dtype f16", 2, "f16"},
    {EVAL "--isa avx3", 2, "avx3"},
    {EVAL "--template chatlm", 2, "chatml"},
    {EVAL "--template ''", 2, "template"},
    {BENCH "--method ful", 2, "'full'"},
    {BENCH "--phase prefil", 2, "prefil"},
    {BENCH "--phase prefill,", 2, "--phase"},
    {BENCH "--phase decode,all", 2, "'all'"},
    {GENERATE "--method fastk", 2, "'fastkv'"},
    {GENERATE "--template lama-3", 2, "llama-3"},
    {GENERATE "--profile fast", 2, "fast"},
    {"plot latncy x.jsonl -o $D/x.png", 2, "latncy"},
    {"report $D/none.jsonl --format markdwon", 2, "markdown"},
    {"tokenize $M --special tokens", 2, "tokens"},
    {"analyse overlap $M", 2, "'analyze'"},
    {"analyze overlp $M", 2, "'overlap'"},
    {"analyze everything $M", 2, "overlap, recall, distance or tsp-layer"},
    {ANALYZE("distance") "--method fastk", 2, "'fastkv'"},
    {ANALYZE("distance") "--method fastkv,snapkv", 2, "snapkv"},
    {ANALYZE("overlap") "--task needle/multikey", 2, "needle/multi_key"},
    /* parameters of methods */
    {EVAL "--set snapkv", 2, "method.param=value"},
    {EVAL "--set snapkv.window", 2, "method.param=value"},
    {EVAL "--set snapkv.window=", 2, "method.param=value"},
    {EVAL "--set .window=8", 2, "method.param=value"},
    {EVAL "--set snapkv=8", 2, "method.param=value"},
    {EVAL "--set ''", 2, "method.param=value"},
    {EVAL "--set snapk.window=8", 2, "'snapkv'"},
    {EVAL "--set snapkv.windw=8", 2, "'window'"},
    {EVAL "--set snapkv.window=0", 2, "out of range"},
    {EVAL "--set snapkv.window=-3", 2, "out of range"},
    {EVAL "--set snapkv.window=1.5", 2, "1.5"},
    {EVAL "--set snapkv.window=nan", 2, "nan"},
    {EVAL "--set snapkv.window=1e999", 2, "1e999"},
    {EVAL "--set snapkv.window=8,abc", 2, "abc"},
    {EVAL "--set snapkv.window=9:8:1", 2, "9:8:1"},
    {EVAL "--set snapkv.kernel=4", 2, "odd"},
    {EVAL "--set snapkv.pool=mean", 2, "max, average"},
    {EVAL "--set fastkv.window=8", 2, "not among the methods"},
    {EVAL "--set snapkv.window=8 --set snapkv.window=16", 2, "twice"},
    {BENCH "--set snapkv.windw=8", 2, "'window'"},
    {GENERATE "--method snapkv --set snapkv.pool=mx", 2, "max"},
    {GENERATE "--set snapkv.window=8", 2, "not among the methods"},
    /* what is missing */
    {"generate", 2, "MODEL"},
    {"generate $M", 2, "--prompt"},
    {"eval", 2, "MODEL"},
    {"eval $M", 2, "--method"},
    {"eval $M --method full", 2, "--task"},
    {"eval $M --method full --task needle/multi_key", 2, "--context"},
    {"bench", 2, "MODEL"},
    {"bench $M", 2, "--method"},
    {"bench $M --method full", 2, "--context"},
    {"analyze", 2, "MODEL"},
    {"analyze overlap", 2, "MODEL"},
    {"analyze overlap $M", 2, "--task"},
    {"analyze overlap $M --task needle/single_noise", 2, "--context"},
    {"tokenize", 2, "MODEL"},
    {"report", 2, "FILE"},
    {"plot", 2, "FIGURE"},
    {"plot latency", 2, "FILE"},
    {"plot latency x.jsonl", 2, "-o"},
    {EVAL "-o", 2, "--output needs a value"},
    {EVAL "-o ''", 2, "--output"},
    {EVAL "--samples", 2, "--samples needs a value"},
    {BENCH "--context", 2, "--context needs a value"},
    {GENERATE "--kept", 2, "--kept needs a value"},
    /* too many, or at the wrong place */
    {"eval '' --method full", 2, "empty"},
    {GENERATE "more", 2, "'more'"},
    {EVAL "more", 2, "'more'"},
    {BENCH "more", 2, "'more'"},
    {"tokenize $M more", 2, "'more'"},
    {"tokenize $M --seed 1", 2, "--seed"},
    {EVAL "--phase prefill", 2, "--phase"},
    {BENCH "--task needle/multi_key", 2, "--task"},
    {GENERATE "--samples 3", 2, "--samples"},
    {EVAL "--system x", 2, "--system"},
    {"report x.jsonl --method full", 2, "--method"},
    {"compare x.jsonl", 2, "BASE NEW"},
    {"compare x.jsonl y.jsonl z.jsonl", 2, "'z.jsonl'"},
    {"compare x.jsonl y.jsonl --threshold-score -1", 2, "--threshold-score"},
    {"compare x.jsonl y.jsonl --threshold-memory nan", 2, "--threshold-memory"},
    {"compare x.jsonl y.jsonl --alpha 0", 2, "--alpha"},
    {EVAL "-q", 2, "-q"},
    {EVAL "-Jq", 2, "-q"},
    {EVAL "-- --json", 2, "'--json'"},
    {ANALYZE("overlap") "more", 2, "'more'"},
    {ANALYZE("overlap") "--method full", 2, "overlap does not take --method"},
    {ANALYZE("recall") "--kv-rate 0.1", 2, "recall does not take --kv-rate"},
    {ANALYZE("recall") "--bound 3", 2, "recall does not take --bound"},
    {ANALYZE("distance") "--top 0.1", 2, "distance does not take --top"},
    {ANALYZE("distance") "--window 8", 2, "distance does not take --window"},
    {ANALYZE("distance") "--bound 3", 2, "distance does not take --bound"},
    {ANALYZE("tsp-layer") "--layer 1,2", 2, "tsp-layer does not take --layer"},
    /* contradictions */
    {ANALYZE("overlap") "--texts $D", 2, "--task and --texts"},
    {ANALYZE("overlap") "--resume", 2, "-o FILE"},
    {ANALYZE("distance") "--set fastkv.tsp_layer=2", 2, "--layer or --bound"},
    {ANALYZE("distance") "--method gemfilter --set fastkv.tsp_rate=0.1", 2, "not among the methods"},
    {GENERATE "--raw --template chatml", 2, "--raw and --template"},
    {GENERATE "--raw --template none", 2, "--raw and --template"},
    {GENERATE "--raw --system x", 2, "--system"},
    {GENERATE "--template none --system x", 2, "--system"},
    {GENERATE "--system x", 2, "no chat template"},
    {GENERATE "--method snapkv --kv-rate 0.2 --kv-budget 64", 2, "--kv-rate and --kv-budget"},
    {GENERATE "--method snapkv,full", 2, "2"},
    {GENERATE "--method snapkv --kv-rate 0.1,0.2", 2, "2"},
    {GENERATE "--method snapkv --profile paper,fastkv", 2, "2"},
    {GENERATE "--kept $D/k --logits $D/k", 2, "same file"},
    {GENERATE "--kept $D/k --kept-end $D/k", 2, "same file"},
    {EVAL "--resume", 2, "-o FILE"},
    {BENCH "--resume", 2, "-o FILE"},
    {EVAL "-o $D/a.samples.jsonl", 2, "samples"},
    {EVAL "--model-context 4k", 2, "context"},
    {EVAL "--kv-rate 0.0001:1:0.0001", 2, "more than 4096"},
    /* sizes that do not fit together */
    {EVAL "--kv-budget 4", 2, "4 entries"},
    {EVAL "--kv-rate 0.001", 2, "window"},
    {BENCH "--kv-budget 7", 2, "7 entries"},
    {BENCH "--profile paper --kv-rate 0.1", 2, "window"},
    {GENERATE "--method snapkv --kv-budget 4 --prompt @$D/medium.txt", 2, "4 entries"},
    {EVAL "--context 100", 2, "100"},
    {EVAL "--context 512,100", 2, "100"},
    {EVAL "--context 8193", 2, "8192"},
    {EVAL "--context 8k", 2, "8192"},
    {EVAL "--context 512 --new-tokens 9000", 2, "9000"},
    {BENCH "--context 9000", 2, "8192"},
    {BENCH "--context 8k", 2, "8192"},
    {BENCH "--context 64,8k", 2, "8192"},
    {GENERATE "--new-tokens 8192", 2, "8192"},
    {GENERATE "--prompt @$D/long.txt", 2, "8192"},
    {ANALYZE("overlap") "--top 0", 2, "--top 0"},
    {ANALYZE("overlap") "--top 1.5", 2, "--top 1.5"},
    {ANALYZE("overlap") "--window -1", 2, "--window -1"},
    {ANALYZE("overlap") "--window 9000", 2, "--window 9000"},
    {ANALYZE("distance") "--layer 6", 2, "layers 0 to 5"},
    {ANALYZE("distance") "--layer 1.5", 2, "--layer 1.5"},
    {ANALYZE("tsp-layer") "--bound 6", 2, "layers 0 to 5"},
    {ANALYZE("distance") "--method fastkv --kv-rate 0.001", 2, "window"},
    {ANALYZE("distance") "--context 100", 2, "100"},
    {"analyze recall $M --texts $D/medium.txt --context 5k", 2, "medium.txt"},
    {"analyze recall $M --texts $D/long.txt", 2, "8192"},
    {"analyze recall $M --texts $D/none", 1, "none"},
    {"analyze recall $M --texts $D/empty.txt", 2, "empty.txt"},
    {"analyze recall $M --texts $D/latin1.txt", 1, "offset 3"},
    /* prompts */
    {"generate $M --prompt ''", 2, "empty"},
    {"generate $M --raw --prompt ''", 2, "empty"},
    {"generate $M --prompt @", 2, "@FILE"},
    {"generate $M --prompt @$D/empty.txt", 2, "empty"},
    {"generate $M --prompt @$D/none.txt", 1, "none.txt"},
    {"generate $M --prompt @$D", 1, "directory"},
    {"generate $M --prompt @$D/latin1.txt", 1, "offset 3"},
    {"generate $M --prompt @$D/zero.txt", 2, "offset 1"},
    {"generate $M --prompt 'ab\xff'", 2, "offset 2"},
    {"generate $M --prompt -", 2, "empty"},
    {"generate random:tiny-llama --prompt hi", 2, "no tokenizer"},
    /* models */
    {"tokenize random:tiny-llama", 2, "tokenizer"},
    {"eval random:tiny-llama --method full --task needle/multi_key --context 512", 2, "no tokenizer"},
    {"bench random:tiny-lama --method full --context 64 --force", 2, "tiny-llama"},
    {"bench random: --method full --context 64 --force", 2, "random:"},
    {"bench random:tiny-llama --method full --context 9000 --force --model-context 8k", 2, "8192"},
    /* single operations */
    {"bench $M --kernels --method full --force", 2, "--method"},
    {"bench $M --kernels --phase decode --force", 2, "--phase"},
    {"bench $M --kernels --kv-rate 0.1 --force", 2, "--kv-rate"},
    {"bench $M --kernels --set fastkv.tsp_rate=0.1 --force", 2, "--set"},
    {"bench $M --kernels --new-tokens 3 --force", 2, "--new-tokens"},
    {"bench $M --kernels --op atend --force", 2, "'attend'"},
    {"bench $M --kernels --op linear,toppk --force", 2, "'top_k'"},
    {"bench $M --kernels --op '' --force", 2, "--op"},
    {"bench $M --kernels --resume --force", 2, "-o FILE"},
    {"bench $M --kernel --force", 2, "--kernels"},
    {"bench random:tiny-lama --kernels --force", 2, "tiny-llama"},
    {BENCH "--op linear", 2, "--kernels"},
    /* memory: the model itself does not fit */
    {EVAL "--memory-limit 1000", 1, "1000"},
    {BENCH "--memory-limit 1k", 1, "1024"},
    {GENERATE "--memory-limit 1000", 1, "1000"},
    {GENERATE "--memory-limit 1500k --prompt @$D/medium.txt", 1, "1536000"},
    /* files that are there already and hold something else */
    {EVAL "-o $D/notes.txt", 1, "notes.txt"},
    {EVAL "-o $D/line.txt", 1, "line.txt"},
    {EVAL "-o $D/notes.txt --resume", 1, "notes.txt"},
    {BENCH "-o $D/notes.txt", 1, "notes.txt"},
    {"eval $D/copy.gguf --method full --task needle/single_noise --context 512 -o $D/copy.gguf", 1, "GGUF"},
    /* report and plot */
    {"report $D/none.jsonl", 1, "none.jsonl"},
    {"compare $D/none.jsonl $D/none.jsonl", 1, "none.jsonl"},
    {"compare $D/notes.txt $D/notes.txt", 1, "notes.txt"},
    {"report $D/notes.txt", 1, "notes.txt"},
    {"report $D/empty.txt", 1, "empty.txt"},
    {"report $D", 1, "$D"},
    {"report $D/line.txt", 1, "line.txt"},
    {"report $D/line.txt $D/line.txt --format csv", 1, "cut off"},
    {"report $D/none.jsonl --published longbnech", 2, "'longbench'"},
    {"report $D/none.jsonl --published ''", 2, "--published"},
    {"report $D/none.jsonl --published x", 2, "needle"},
    {"plot latency $D/line.txt -o $D/x.png", 1, "cut off"},
    {"plot latency $D/none.jsonl -o $D/x.png", 1, "none.jsonl"},
    {"plot latency $D/none.jsonl -o $D/x.foo", 2, "x.foo"},
    {"plot latency $D/none.jsonl -o $D/x", 2, "$D/x"},
};

/* The same for what comes from standard input. */
static const struct {
    struct wrong wrong;
    const char *in;
} inputs[] = {
    {{"generate $M --prompt -", 1, "offset 4"}, "abcd\xc3"},
    {{"tokenize $M", 1, "offset 2"}, "ab\xff"},
    {{"tokenize $M --json", 1, "line 1"}, "abc\n"},
    {{"tokenize $M --json", 1, "line 2"}, "\"a\"\nb\n"},
    {{"tokenize $M --json", 1, "line 2"}, "\"a\"\n\n\"b\"\n"},
    {{"tokenize $M --json", 1, "line 1"}, "1\n"},
    {{"tokenize $M --json", 1, "line 1"}, "[\"a\"]\n"},
    {{"tokenize $M --json", 1, "line 1"}, "\"a\n"},
    {{"tokenize $M --json", 1, "line 1"}, "\"a\" \"b\"\n"},
    {{"tokenize $M --json", 1, "line 1"}, "\"\\ud800\"\n"},
    {{"tokenize $M --json", 1, "offset 1"}, "\"\xff\"\n"},
};

struct bench_of {
    struct model_folder folder;
    int n_files, n_run;
};

static int count_files(const char *folder)
{
    int n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static int set_up(void **state)
{
    static struct bench_of bench;
    struct model_folder *folder = &bench.folder;
    model_folder_init(folder);
    model_folder_write_text(folder, "empty.txt", "");
    model_folder_write_text(folder, "latin1.txt", "abc\xe9 def");
    model_folder_write(folder, "zero.txt", "a\0b", 3);
    model_folder_write_text(folder, "notes.txt", "my notes\nin two lines\n");
    model_folder_write_text(folder, "line.txt", "one line without an end");
    model_folder_write_text(folder, "copy.gguf", "no model");
    char *text = malloc(100001);
    memset(text, 'a', 100000);
    text[100000] = '\0';
    for (int i = 1; i < 100000; i += 2)
        text[i] = ' ';
    model_folder_write(folder, "medium.txt", text, 2000);
    model_folder_write_text(folder, "long.txt", text);
    free(text);
    bench.n_files = count_files(folder->path);
    *state = &bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench_of *bench = *state;
    model_folder_free(&bench->folder);
    return 0;
}

static void check(struct bench_of *bench, const struct wrong *wrong, const char *in)
{
    char model[1024], part[1024];
    snprintf(model, sizeof model, "%s", golden_path("models/llama-tiny"));
    const char *folder = bench->folder.path;
    const char *holder = strstr(wrong->part, "$D");
    snprintf(part, sizeof part, "%s%s", holder != NULL ? folder : wrong->part, holder != NULL ? holder + 2 : "");
    struct process process = {.program = KVLAB_PROGRAM, .folder = folder, .in = in, .n_in = strlen(in), .closed = -1};
    const char *const *words = process_split(wrong->line, model, folder);
    process_run(&process, words);
    bench->n_run++;
    if (process.code != wrong->code)
        fail_msg("`%s`: exit code %d, expected %d: %s", wrong->line, process.code, wrong->code, process.err);
    if (!process_is_sentence(process.err))
        fail_msg("`%s`: not one sentence: %s", wrong->line, process.err);
    if (strstr(process.err, part) == NULL)
        fail_msg("`%s`: \"%s\" lacks \"%s\"", wrong->line, process.err, part);
    if (process.n_out != 0)
        fail_msg("`%s`: prints %s", wrong->line, process.out);
    if (count_files(folder) != bench->n_files)
        fail_msg("`%s`: leaves a file behind", wrong->line);
    process_free(&process);
    free((void *)(uintptr_t)words);
}

static void test_lines(void **state)
{
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        check(*state, &lines[i], "");
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        check(*state, &inputs[i].wrong, inputs[i].in);
    printf("%zu lines\n", sizeof lines / sizeof *lines + sizeof inputs / sizeof *inputs);
}

/* Every element of a table of starts with every element of a table of ends. */
static void check_product(struct bench_of *bench, const char *const *starts, const char *const *options,
                          const char *const *values, int code)
{
    int before = bench->n_run;
    for (; *starts != NULL; starts++)
        for (int o = 0; options[o] != NULL; o++)
            for (int v = 0; values[v] != NULL; v++) {
                char line[512];
                snprintf(line, sizeof line, "%s %s %s", *starts, options[o], values[v]);
                const char *part = code == 2 ? options[o] : strcmp(values[v], "$D") == 0 ? "$D" : values[v];
                check(bench, &(struct wrong){line, code, part}, "");
            }
    printf("%d lines\n", bench->n_run - before);
}

static void test_numbers(void **state)
{
    static const char *const values[] = {"''", "abc", "nan", "-1", "1e999", "1.5.5", "1,2", "99999999999999999999", NULL};
    check_product(*state, (const char *const[]){EVAL, NULL}, (const char *const[]){"--samples", "--seed", "--chunk", NULL}, values,
                  2);
    check_product(*state, (const char *const[]){BENCH, NULL}, (const char *const[]){"--warmup", "--time-limit", NULL}, values, 2);
    check_product(*state, (const char *const[]){GENERATE, NULL},
                  (const char *const[]){"--new-tokens", "--threads", "--memory-limit", "--model-context", NULL}, values, 2);
    check_product(*state, (const char *const[]){EVAL, BENCH, GENERATE, NULL}, (const char *const[]){"--threads", NULL},
                  (const char *const[]){"0", "1.5", "1e6", NULL}, 2);
}

static void test_lists(void **state)
{
    static const char *const values[] = {"''", "abc", "inf", "0", "-0.5", "0.5,", ",", "0.1:0.5", "0.5:0.1:0.1", "0.1:0.5:0",
                                         "1e999", NULL};
    check_product(*state, (const char *const[]){EVAL, BENCH, NULL},
                  (const char *const[]){"--kv-rate", "--kv-budget", "--context", NULL}, values, 2);
    check_product(*state, (const char *const[]){EVAL, BENCH, GENERATE, NULL}, (const char *const[]){"--kv-rate", NULL},
                  (const char *const[]){"1.0000001", "2", "1k", "0.5,1.5", NULL}, 2);
    check_product(*state, (const char *const[]){EVAL, BENCH, NULL}, (const char *const[]){"--kv-budget", "--context", NULL},
                  (const char *const[]){"1.5", "1e30", "100:200:0.5", NULL}, 2);
}

static void test_unwritable(void **state)
{
    static const char *const places[] = {"/nonexistent/x", "$D", "/proc/x", "$D/empty.txt/x", NULL};
    check_product(*state, (const char *const[]){GENERATE, NULL}, (const char *const[]){"--logits", "--kept", "--kept-end", NULL},
                  places, 1);
    check_product(*state, (const char *const[]){EVAL, BENCH, NULL}, (const char *const[]){"-o", NULL}, places, 1);
    check_product(*state, (const char *const[]){GENERATE, NULL}, (const char *const[]){"--logits", "--kept", "--kept-end", NULL},
                  (const char *const[]){"/dev/full", NULL}, 1);
}

static void test_models(void **state)
{
    struct bench_of *bench = *state;
    static const char *const commands[] = {
        "generate %s --prompt hi", "tokenize %s", "eval %s --method full --task needle/multi_key --context 512",
        "bench %s --method full --context 64 --force"};
    static const char *const models[] = {"$D/none.gguf", "$D", "$D/empty.txt", "$D/notes.txt", "/dev/null"};
    for (size_t m = 0; m < sizeof models / sizeof *models; m++)
        for (size_t c = 0; c < sizeof commands / sizeof *commands; c++) {
            char line[512];
            const char *at = strstr(commands[c], "%s");
            snprintf(line, sizeof line, "%.*s%s%s", (int)(at - commands[c]), commands[c], models[m], at + 2);
            check(bench, &(struct wrong){line, 1, models[m]}, "");
        }
    printf("%d lines in all\n", bench->n_run);
    assert_true(bench->n_run >= 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines), cmocka_unit_test(test_numbers), cmocka_unit_test(test_lists),
        cmocka_unit_test(test_unwritable), cmocka_unit_test(test_models),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
