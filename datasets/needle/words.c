#include "datasets/needle/words.h"

#include <assert.h>

static const char *const adjectives[] = {
    "amber",   "ancient", "autumn",  "bashful", "bitter",  "blue",    "bold",     "brave",   "bright",  "brisk",   "broken",
    "bronze",  "calm",    "careful", "cheerful", "clear",  "clever",  "cloudy",   "coarse",  "cold",    "copper",  "cosmic",
    "crimson", "crooked", "curious", "curly",   "daring",  "dark",    "deep",     "distant", "dizzy",   "drowsy",  "dusty",
    "eager",   "early",   "elegant", "empty",   "faded",   "faithful", "famous",  "fancy",   "fearless", "fierce", "floral",
    "foggy",   "fragile", "frosty",  "frozen",  "gentle",  "giant",   "glad",     "glossy",  "golden",  "graceful", "grand",
    "green",   "happy",   "hasty",   "hidden",  "hollow",  "honest",  "humble",   "hungry",  "icy",     "idle",    "ivory",
    "jolly",   "keen",    "kind",    "lazy",    "lively",  "lonely",  "loud",     "loyal",   "lucky",   "lunar",   "mellow",
    "merry",   "mighty",  "misty",   "modest",  "muddy",   "narrow",  "nervous",  "nimble",  "noble",   "noisy",   "odd",
    "orange",  "patient", "polite",  "proud",   "purple",  "quick",   "quiet",    "rapid",   "restless", "rough",  "royal",
    "rusty",   "salty",   "scarlet", "secret",  "serene",  "shiny",   "silent",   "silver",  "sleepy",  "smooth",  "solar",
    "spicy",   "steady",  "stormy",  "sturdy",  "subtle",  "sunny",   "swift",    "tender",  "tidy",    "timid",   "velvet",
    "vivid",   "wandering", "warm",  "wild",    "windy",   "wise",    "young",
};
static const char *const nouns[] = {
    "acorn",   "anchor",  "antler",  "apple",   "arrow",   "badger",  "bamboo",   "banner",  "beacon",  "beetle",  "bell",
    "bicycle", "blossom", "bridge",  "bucket",  "buffalo", "butter",  "cabin",    "cactus",  "camel",   "canyon",  "castle",
    "cavern",  "cedar",   "cherry",  "cinema",  "cloud",   "comet",   "compass",  "coral",   "cottage", "crane",   "crater",
    "crystal", "desert",  "dolphin", "donkey",  "dragon",  "eagle",   "elephant", "ember",   "engine",  "falcon",  "feather",
    "fern",    "fiddle",  "flute",   "forest",  "fossil",  "fountain", "fox",     "galaxy",  "garlic",  "geyser",  "ginger",
    "glacier", "goose",   "guitar",  "hammock", "harbor",  "hazel",   "helmet",   "heron",   "iceberg", "igloo",   "island",
    "jacket",  "jaguar",  "jungle",  "kettle",  "kitten",  "ladder",  "lagoon",   "lantern", "lemon",   "leopard", "lizard",
    "lobster", "magnet",  "mango",   "maple",   "marble",  "meadow",  "melon",    "meteor",  "mirror",  "monkey",  "moose",
    "mountain", "mushroom", "nectar", "oasis",  "ocean",   "olive",   "orchid",   "otter",   "owl",     "oyster",  "panther",
    "parrot",  "pebble",  "pelican", "penguin", "pepper",  "piano",   "pillow",   "pirate",  "planet",  "pumpkin", "puzzle",
    "pyramid", "rabbit",  "radish",  "rainbow", "raven",   "rocket",  "sailor",   "salmon",  "shadow",  "sparrow", "spider",
    "tiger",   "tulip",   "tunnel",  "turtle",  "volcano", "walrus",  "whistle",  "zebra",
};
enum { N_ADJECTIVES = sizeof adjectives / sizeof *adjectives, N_NOUNS = sizeof nouns / sizeof *nouns };

int64_t kvl_needle_n_keys(void)
{
    return (int64_t)N_ADJECTIVES * N_NOUNS;
}

enum kvl_status kvl_needle_add_key(struct kvl_text *text, int64_t i)
{
    assert(i >= 0 && i < kvl_needle_n_keys());
    return kvl_text_format(text, "%s-%s", adjectives[i / N_NOUNS], nouns[i % N_NOUNS]);
}
