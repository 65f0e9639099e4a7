# fetch_tokenizers: the real LLaMA-3 and Tekken tokenizers from PyPI, converted to tokenizer.json by our own script, into
# models/tokenizers/{llama3,tekken}/. Nothing on a second run. Sourced after harness/setup.sh.

fetch_tokenizer() { # NAME PACKAGE==VERSION MEMBER
    local folder="models/tokenizers/$1"
    [ -f "$folder/tokenizer.json" ] && return 0
    say "fetching the $1 tokenizer"
    mkdir -p "$folder"
    from_wheel "$2" "$3" "$folder/source" &&
        python3 tests/reference/convert_tiktoken.py "$1" "$folder/source" "$folder/tokenizer.json.part" &&
        mv "$folder/tokenizer.json.part" "$folder/tokenizer.json"
    local status=$?
    rm -f "$folder/source" "$folder/tokenizer.json.part"
    return $status
}

fetch_tokenizers() {
    fetch_tokenizer llama3 llama-models==0.3.0 llama_models/llama3/tokenizer.model &&
        fetch_tokenizer tekken mistral-common==1.13.1 mistral_common/data/tekken_240911.json
}
