/* Chat templates: rendered prompts against tests/golden/chat_templates.json, and which Jinja texts are recognized. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/chat_template.h"
#include "tests/support/golden.h"

static void assert_text(const struct kvl_chat_template *chat, const char *system, const char *user, const char *prefix, const char *expected)
{
    char *text;
    assert_ok(kvl_chat_template_render(chat, system, user, prefix, &text));
    assert_string_equal(text, expected);
    free(text);
}

static const struct kvl_chat_template *find(const char *name)
{
    const struct kvl_chat_template *chat;
    assert_ok(kvl_chat_template_find(name, &chat));
    return chat;
}

/* One golden case, if it has the single turn that we render; the golden texts hold BOS where it is a token before the text. */
static bool check_case(const json_t *item)
{
    const json_t *messages = json_object_get(item, "messages");
    const char *name = json_string_value(json_object_get(item, "template")), *text = json_string_value(json_object_get(item, "text"));
    const char *contents[2] = {NULL, NULL};
    size_t n = json_array_size(messages), has_system = 0;
    for (size_t i = 0; i < n && n <= 2; i++) {
        const char *role = json_string_value(json_object_get(json_array_get(messages, i), "role"));
        bool is_system = strcmp(role, "system") == 0;
        contents[is_system ? 0 : 1] = json_string_value(json_object_get(json_array_get(messages, i), "content"));
        has_system += is_system;
    }
    if (n != has_system + 1)
        return false;
    const struct kvl_chat_template *chat = find(strcmp(name, "mistral") == 0 ? "mistral-tekken" : name);
    const char *bos = strncmp(name, "llama", 5) == 0 ? "<|begin_of_text|>" : strcmp(name, "mistral") == 0 ? "<s>" : "";
    assert_int_equal(chat->wants_bos, *bos != 0);
    assert_memory_equal(text, bos, strlen(bos));
    assert_text(chat, contents[0], contents[1], "", text + strlen(bos));
    return true;
}

static void test_golden(void **state)
{
    json_t *root = golden_load("chat_templates.json");
    const json_t *cases = json_object_get(root, "cases");
    int n_checked = 0;
    (void)state;
    for (size_t i = 0; i < json_array_size(cases); i++)
        n_checked += check_case(json_array_get(cases, i));
    assert_true(n_checked >= 16);
    json_decref(root);
}

static void test_render(void **state)
{
    int n;
    (void)state;
    assert_int_equal(kvl_chat_templates(&n) - find("smollm2"), 0);
    assert_int_equal(n, 5);
    assert_null(find("none"));
    assert_text(NULL, NULL, "one ", "two", "one two");
    assert_text(NULL, NULL, "", "", "");
    assert_text(find("chatml"), NULL, "u", "It is", "<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\nIt is");
    assert_text(find("chatml"), "s", "u", "",
                "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n");
    assert_text(find("mistral-tekken"), NULL, " u ", "It is", "[INST] u [/INST]It is");
    assert_text(find("mistral-tekken"), "s", "u", "", "[INST]s\n\nu[/INST]");
    /* Python's strip: also the four separators U+001C..U+001F, U+0085 and U+3000; not U+200B. */
    assert_text(find("llama-3"), " s", "\x1C\xC2\x85\t u\u200B\u3000\n", " p ",
                "<|start_header_id|>system<|end_header_id|>\n\ns<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nu\u200B<|eot_id|>"
                "<|start_header_id|>assistant<|end_header_id|>\n\n p ");
    assert_text(find("llama-3"), NULL, " \n ", "",
                "<|start_header_id|>user<|end_header_id|>\n\n<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n");
}

static void test_unknown_name(void **state)
{
    const struct kvl_chat_template *chat;
    (void)state;
    assert_int_equal(kvl_chat_template_find("llama3", &chat), KVL_E_ARG);
    assert_null(chat);
    assert_non_null(strstr(kvl_last_error(), "\"llama3\""));
    assert_non_null(strstr(kvl_last_error(), "did you mean \"llama-3\""));
    assert_int_equal(kvl_chat_template_find("zephyr", &chat), KVL_E_ARG);
    assert_non_null(strstr(kvl_last_error(), "known are"));
}

#define CHATML_LOOP "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
#define CHATML_END "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
#define SMOLLM2_START \
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n" \
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}"
#define SMOLLM2_END \
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}" \
    "{{ '<|im_start|>assistant\n' }}{% endif %}"
#define LLAMA3_START \
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>"
#define LLAMA3_MIDDLE "'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
#define LLAMA3_END "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
#define LLAMA31_DATE "{%- if not date_string is defined %}\n    {%- set date_string = \"26 Jul 2024\" %}\n{%- endif %}\n"
#define LLAMA32_DATE \
    "{%- if not date_string is defined %}\n {%- if strftime_now is defined %}\n {%- set date_string = strftime_now(\"%d %b %Y\") %}\n" \
    "{%- else %}\n {%- set date_string = \"26 Jul 2024\" %}\n {%- endif %}\n{%- endif %}\n"
#define LLAMA31_SYSTEM(message) \
    "{#- This block extracts the system message, so we can't miss it. strftime_now #}\n{%- if messages[0]['role'] == 'system' %}\n" \
    "    {%- set system_message = messages[0]['content']|trim %}\n    {%- set messages = messages[1:] %}\n{%- else %}\n" \
    "    {%- set system_message = \"" message "\" %}\n{%- endif %}\n\n"
#define LLAMA31_REST \
    "{{- \"<|start_header_id|>system<|end_header_id|>\\n\\n\" }}\n{{- \"Cutting Knowledge Date: December 2023\\n\" }}\n" \
    "{{- \"Today Date: \" + date_string + \"\\n\\n\" }}\n{%- if tools is not none and not tools_in_user_message %}\n" \
    "    {{- \"You have access to the following functions.\" }}\n{%- endif %}\n{{- system_message }}\n{{- \"<|eot_id|>\" }}\n" \
    "{%- for message in messages %}\n    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}\n" \
    "{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}\n{%- endif %}\n"
#define MISTRAL(open, close) \
    "{%- if messages[0][\"role\"] == \"system\" %}\n    {%- set system_message = messages[0][\"content\"] %}\n{%- endif %}\n{{- bos_token }}\n" \
    "{%- for message in loop_messages %}\n{%- if message[\"role\"] == \"user\" %}\n{%- if loop.last and system_message is defined %}\n" \
    "{{- \"" open "\" + system_message + \"\\n\\n\" + message[\"content\"] + \"" close "\" }}\n{%- else %}\n" \
    "{{- \"" open "\" + message[\"content\"] + \"" close "\" }}\n{%- endif %}\n{%- elif message[\"role\"] == \"assistant\" %}\n" \
    "{{- message[\"content\"] + eos_token}}\n{%- endif %}\n{%- endfor %}\n"

/* Texts that models carry, shortened where they speak of tools; and relatives that must not be taken for them. */
static void test_recognize(void **state)
{
    static const struct {
        const char *name, *jinja; /* name NULL: unknown */
    } CASES[] = {
        {"smollm2", SMOLLM2_START SMOLLM2_END},
        {"chatml", CHATML_LOOP CHATML_END},
        {"chatml", "{%- for message in messages %}\n  {{- \"<|im_start|>\" + message.role + \"\\n\" + message.content + \"<|im_end|>\\n\" }}\n{%- endfor %}\n"
                   "{%- if add_generation_prompt %}\n  {{- \"<|im_start|>assistant\\n\" }}\n{%- endif %}"},
        {"chatml", "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}" CHATML_LOOP CHATML_END},
        {"llama-3", LLAMA3_START "\n\n" LLAMA3_MIDDLE LLAMA3_END},
        {"llama-3", LLAMA3_START "\\n\\n" LLAMA3_MIDDLE LLAMA3_END},
        {"llama-3.1", "{{- bos_token }}\n" LLAMA31_DATE LLAMA31_SYSTEM("") LLAMA31_REST},
        {"mistral-tekken", MISTRAL("[INST]", "[/INST]")},
        /* ChatML of others: a default system message, a token before it, trimmed content, no line end. */
        {NULL, "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are Qwen, created by "
               "Alibaba Cloud. You are a helpful assistant.<|im_end|>\n' }}{% endif %}" SMOLLM2_END},
        {NULL, "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI "
               "assistant named SmolLM<|im_end|>\n' }}{% endif %}" SMOLLM2_END},
        {NULL, "{{ bos_token }}" CHATML_LOOP CHATML_END},
        {NULL, "{% set messages = [{'role': 'system', 'content': 'Be kind.'}] + messages %}" CHATML_LOOP CHATML_END},
        {NULL, "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] | trim + '<|im_end|>\\n'}}{% endfor %}" CHATML_END},
        {NULL, "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>'}}{% endfor %}" CHATML_END},
        {NULL, CHATML_LOOP "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}{% endif %}"},
        {NULL, SMOLLM2_START "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"},
        /* LLaMA-3 with one line end, without trimming, with today's date, with a default system message. */
        {NULL, LLAMA3_START "\n" LLAMA3_MIDDLE LLAMA3_END},
        {NULL, LLAMA3_START "\n\n'+ message['content'] + '<|eot_id|>' %}{% set content = bos_token + content %}{{ content }}{% endfor %}" LLAMA3_END},
        {NULL, "{{- bos_token }}\n" LLAMA32_DATE LLAMA31_SYSTEM("") LLAMA31_REST},
        {NULL, "{{- bos_token }}\n" LLAMA31_DATE LLAMA31_SYSTEM("Be kind.") LLAMA31_REST},
        /* Mistral with sentencepiece, V7, and the original with <<SYS>>. */
        {NULL, MISTRAL("[INST] ", "[/INST]")},
        {NULL, MISTRAL(" [INST] ", " [/INST]")},
        {NULL, MISTRAL("[INST]", "[/INST]") "{{- \"[SYSTEM_PROMPT]\" + system_message + \"[/SYSTEM_PROMPT]\" }}"},
        {NULL, "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
               "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% endif %}{% endfor %}"},
        {NULL, "x"},
        {NULL, "{{ '"},
        {NULL, "{#"},
        {NULL, "{{ '\\"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct kvl_chat_template *chat;
        enum kvl_status status = kvl_chat_template_recognize(CASES[i].jinja, &chat);
        if (status != (CASES[i].name ? KVL_OK : KVL_E_UNSUPPORTED) || (CASES[i].name && chat != find(CASES[i].name)))
            fail_msg("case %zu: %s, %s", i, kvl_status_name(status), chat ? chat->name : "none");
        if (!CASES[i].name) {
            assert_null(chat);
            assert_non_null(strstr(kvl_last_error(), "--template NAME|none"));
        }
    }
}

static void test_base_model(void **state)
{
    const struct kvl_chat_template *chat = find("chatml");
    (void)state;
    assert_ok(kvl_chat_template_recognize(NULL, &chat));
    assert_null(chat);
    assert_ok(kvl_chat_template_recognize("", &chat));
    assert_null(chat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),    cmocka_unit_test(test_render),     cmocka_unit_test(test_unknown_name),
        cmocka_unit_test(test_recognize), cmocka_unit_test(test_base_model),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
