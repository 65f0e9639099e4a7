#include "datasets/words/vocabulary.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Up to five letters: parts of compounds. No two pairs of them give the same compound (tests/datasets/test_words.c), which
 * keeps a few common words out. */
static const char *const short_words[] = {
    "acorn", "actor", "adder", "album", "alley", "altar", "amber", "angle", "ankle", "apple", "apron", "arena", "armor",
    "arrow", "ash", "aspen", "atlas", "attic", "aunt", "axle", "badge", "bagel", "band", "banjo", "bark", "barn", "baron",
    "basil", "basin", "bat", "bath", "beach", "bead", "beak", "bean", "beard", "bed", "bee", "bell", "belt", "bench", "berry",
    "bike", "bison", "blade", "blaze", "boat", "bolt", "bone", "book", "boot", "bow", "bowl", "boxer", "brass", "bread",
    "brick", "bride", "broom", "broth", "brush", "bud", "bugle", "buoy", "bus", "bush", "cabin", "cable", "cafe", "cage",
    "cake", "calf", "camel", "camp", "canal", "candy", "canoe", "cape", "cargo", "cart", "cat", "cave", "cedar", "cello",
    "chain", "chair", "chalk", "charm", "chart", "cheek", "chess", "chest", "chief", "cider", "cigar", "clam", "clay",
    "clerk", "cliff", "cloak", "clock", "cloth", "cloud", "clown", "club", "coach", "coal", "coast", "coat", "cobra", "cocoa",
    "coil", "coin", "colt", "comb", "comet", "cook", "coral", "cork", "corn", "couch", "court", "cow", "crab", "crane",
    "cream", "creek", "crest", "crew", "crow", "crown", "crumb", "crust", "cup", "cycle", "daisy", "dam", "dawn", "deer",
    "desk", "dew", "diary", "dice", "dish", "diver", "dock", "dog", "doll", "door", "dough", "dove", "drain", "dress",
    "drill", "drum", "duck", "dune", "dusk", "dust", "dwarf", "eagle", "earth", "easel", "echo", "egg", "elbow", "elder",
    "elm", "ember", "fable", "farm", "feast", "fence", "fern", "ferry", "fever", "field", "fig", "finch", "fire", "fish",
    "flag", "flame", "flask", "fleet", "flint", "flock", "flood", "floor", "flour", "flute", "foam", "fog", "foot", "forge",
    "fork", "fort", "fox", "frame", "frog", "frost", "fruit", "fur", "gate", "gem", "ghost", "giant", "gift", "glass",
    "globe", "glove", "glue", "goat", "gold", "goose", "gorge", "gown", "grain", "grape", "grass", "gravy", "grill", "grove",
    "guard", "guest", "guide", "gull", "hail", "hair", "hall", "hand", "hare", "harp", "hawk", "hay", "hazel", "heart",
    "hedge", "heel", "hen", "herb", "herd", "hero", "heron", "hill", "hinge", "hive", "hoe", "holly", "honey", "hood", "hoof",
    "hook", "horn", "horse", "hotel", "hound", "house", "hull", "hut", "hyena", "igloo", "inn", "iris", "iron", "ivory",
    "ivy", "jade", "jail", "jam", "jar", "jeans", "jelly", "jet", "jewel", "judge", "jug", "juice", "juror", "kayak", "key",
    "kiln", "king", "kiosk", "kite", "knee", "knife", "knot", "koala", "label", "lace", "ladle", "lady", "lake", "lamb",
    "lamp", "lapel", "larch", "lard", "lark", "laser", "lasso", "lava", "lawn", "leaf", "ledge", "leek", "lemon", "lemur",
    "lens", "lever", "lid", "lilac", "lily", "lime", "linen", "lion", "llama", "lobby", "lodge", "loft", "log", "lotus",
    "lute", "lynx", "lyric", "macaw", "magic", "maid", "mango", "manor", "maple", "mare", "marsh", "mason", "mast", "medal",
    "melon", "menu", "milk", "mill", "miner", "mink", "mint", "mist", "moat", "mole", "money", "monk", "moon", "moose",
    "moss", "moth", "motor", "mouse", "mouth", "mud", "mule", "mural", "music", "myth", "navy", "nest", "net", "niece",
    "night", "north", "nose", "novel", "nun", "nurse", "nut", "nylon", "oak", "oar", "oasis", "oat", "oboe", "ocean", "oil",
    "olive", "onion", "opal", "opera", "orbit", "organ", "otter", "oven", "owl", "oxen", "page", "pail", "paint", "palm",
    "pan", "panda", "pansy", "paper", "park", "party", "pea", "peach", "peak", "pear", "pearl", "pedal", "pen", "pet",
    "petal", "phone", "photo", "piano", "pie", "pier", "pig", "pilot", "pine", "pink", "pipe", "pizza", "plank", "plate",
    "plaza", "plum", "poem", "poet", "pole", "polo", "pond", "pony", "pool", "poppy", "porch", "port", "pot", "pouch",
    "prism", "prize", "prune", "puma", "pump", "pupil", "puppy", "purse", "quail", "queen", "quilt", "radio", "raft", "rain",
    "rake", "ram", "ramp", "ranch", "rat", "raven", "razor", "rebel", "reef", "relic", "rice", "rider", "ridge", "rifle",
    "ring", "river", "road", "robin", "robot", "rock", "rodeo", "roof", "root", "rope", "rose", "rotor", "ruby", "rug",
    "ruin", "ruler", "rust", "rye", "sabre", "sack", "sage", "sail", "salad", "salt", "sand", "satin", "sauce", "sauna",
    "scarf", "scout", "screw", "seal", "seat", "seed", "shark", "shawl", "shed", "sheep", "shelf", "shell", "ship", "shirt",
    "shoe", "shop", "shore", "silk", "ski", "skirt", "skull", "skunk", "sky", "sled", "sloop", "smith", "smoke", "snail",
    "snake", "snow", "soap", "sock", "soda", "sofa", "soil", "soup", "south", "spade", "spark", "spear", "spice", "spine",
    "spoon", "spy", "squid", "stag", "stamp", "star", "steak", "steam", "steel", "stem", "stick", "stone", "stool", "stork",
    "storm", "stove", "straw", "sugar", "sun", "swamp", "swan", "swing", "sword", "syrup", "table", "talon", "tank", "taxi",
    "team", "tent", "thief", "thorn", "thumb", "tiger", "tile", "tin", "toad", "toast", "toe", "tomb", "tool", "tooth",
    "torch", "towel", "tower", "toy", "trail", "train", "tray", "tree", "tribe", "trout", "truck", "trunk", "tub", "tulip",
    "tuna", "tutor", "twig", "twin", "uncle", "urn", "usher", "valve", "van", "vase", "vault", "veil", "venom", "vest",
    "vine", "viola", "viper", "virus", "vodka", "wafer", "wagon", "waltz", "wasp", "watch", "water", "wave", "wax", "weed",
    "whale", "wheat", "wheel", "whip", "widow", "wig", "wine", "wing", "wire", "witch", "wolf", "wood", "wool", "worm",
    "wren", "wrist", "yacht", "yam", "yard", "yarn", "yeast", "yolk", "zebra", "zinc", "zoo",
};

/* Six letters and more, ascending. */
static const char *const long_words[] = {
    "acrobat", "airport", "almond", "anchor", "anthem", "antler", "apricot", "archer", "artist", "author", "autumn", "avenue",
    "baboon", "backpack", "badger", "bakery", "balcony", "ballad", "balloon", "bamboo", "banana", "banker", "banner",
    "barber", "barley", "barrel", "basket", "bassoon", "beacon", "beaver", "beetle", "beggar", "bicycle", "biscuit",
    "blanket", "blender", "blizzard", "blossom", "blouse", "bonnet", "border", "bottle", "boulder", "bracelet", "branch",
    "breeze", "bridge", "brother", "bubble", "bucket", "buckle", "buffalo", "bullet", "bunker", "burrow", "butcher", "butter",
    "button", "buzzard", "cabbage", "cactus", "camera", "canary", "candle", "cannon", "canvas", "canyon", "captain",
    "caravan", "carnival", "carpet", "carriage", "carrot", "carver", "cascade", "cashew", "castle", "catapult", "cathedral",
    "cattle", "cauldron", "ceiling", "celery", "cellar", "cement", "chamber", "chapel", "chariot", "cheese", "cherry",
    "chestnut", "chicken", "chimney", "chisel", "chorus", "cinema", "circus", "citizen", "citrus", "clarinet", "clover",
    "cobbler", "cobweb", "coconut", "coffee", "coffin", "collar", "colonel", "column", "compass", "concert", "condor",
    "cookie", "copper", "corner", "cotton", "cougar", "cousin", "cradle", "crater", "crayon", "cricket", "crocus", "crystal",
    "cuckoo", "cucumber", "cupboard", "curtain", "cushion", "custard", "cymbal", "cypress", "dancer", "deacon", "decanter",
    "dentist", "desert", "dessert", "detective", "diamond", "dinner", "diploma", "doctor", "dolphin", "donkey", "dragon",
    "drawer", "driver", "duchess", "earring", "elephant", "elevator", "embassy", "emerald", "emperor", "empire", "engine",
    "engraver", "envelope", "errand", "estate", "evening", "factory", "falcon", "family", "farmer", "father", "faucet",
    "feather", "fennel", "ferret", "fiddle", "finger", "fisher", "flannel", "flower", "folder", "forest", "fossil",
    "fountain", "freckle", "freight", "friend", "funnel", "furnace", "galaxy", "gallery", "gallop", "garage", "garden",
    "garlic", "garnet", "gazelle", "general", "geyser", "ginger", "giraffe", "glacier", "goblet", "gondola", "gorilla",
    "grandson", "granite", "gravel", "greeting", "griddle", "guitar", "gutter", "gymnast", "hammer", "hammock", "hamster",
    "handle", "harbor", "harness", "harvest", "hearth", "heather", "helmet", "herald", "hermit", "herring", "hockey",
    "horizon", "hornet", "hospital", "hostel", "hunter", "hurdle", "husband", "iceberg", "icicle", "incense", "infant",
    "insect", "invader", "island", "jacket", "jaguar", "jasmine", "javelin", "jester", "jockey", "juggler", "jungle",
    "juniper", "kennel", "kettle", "kidney", "kitchen", "kitten", "knight", "ladder", "lagoon", "lantern", "lather",
    "lavender", "lawyer", "leather", "lecture", "legend", "leopard", "lettuce", "library", "lichen", "lighthouse", "lizard",
    "lobster", "locker", "locket", "locust", "lounge", "lumber", "mackerel", "magazine", "magnet", "magpie", "mallet",
    "mammoth", "mantle", "marathon", "marble", "market", "mascot", "matador", "mattress", "meadow", "melody", "merchant",
    "mermaid", "meteor", "midwife", "minnow", "minute", "mirror", "mitten", "monarch", "monkey", "monsoon", "monument",
    "morning", "morsel", "mosaic", "mosque", "mother", "mountain", "muffin", "muscle", "museum", "mushroom", "musket",
    "mussel", "mustard", "napkin", "nature", "necklace", "needle", "nephew", "nettle", "noodle", "notebook", "nougat",
    "nutmeg", "octave", "octopus", "office", "officer", "omelet", "orange", "orchard", "orchid", "oriole", "ostrich",
    "outlaw", "oyster", "paddle", "padlock", "painter", "palace", "pancake", "panther", "pantry", "papaya", "papyrus",
    "parade", "parrot", "parsley", "partner", "passport", "pastry", "pasture", "patrol", "pavilion", "peacock", "peanut",
    "pebble", "pelican", "pencil", "penguin", "pepper", "perfume", "pewter", "pheasant", "pickle", "picnic", "pigeon",
    "pillar", "pillow", "pirate", "piston", "pitcher", "plague", "planet", "player", "plough", "plumber", "pocket", "police",
    "poplar", "porter", "portrait", "postcard", "potato", "potter", "pottery", "powder", "prairie", "prince", "prison",
    "professor", "prophet", "province", "pudding", "puddle", "puffin", "pulley", "pumpkin", "puppet", "puzzle", "pyramid",
    "python", "quarry", "quartz", "quiver", "rabbit", "raccoon", "radish", "railway", "rainbow", "raisin", "ranger",
    "raspberry", "rattle", "recipe", "referee", "refuge", "reptile", "reservoir", "retina", "rhubarb", "ribbon", "rocket",
    "rooster", "rosemary", "royalty", "rubber", "rudder", "runner", "saddle", "safari", "saffron", "sailor", "salmon",
    "saloon", "salute", "sandal", "sapphire", "sardine", "satchel", "saucer", "sausage", "savage", "scholar", "school",
    "scissors", "scooter", "scorpion", "scroll", "sculptor", "season", "senator", "sergeant", "servant", "sesame", "shadow",
    "shepherd", "sheriff", "shield", "shovel", "shower", "shrimp", "shrine", "shutter", "sibling", "sickle", "signal",
    "silver", "singer", "sister", "sketch", "sleeve", "slipper", "soccer", "soldier", "sparrow", "spatula", "spider",
    "spinach", "spindle", "spiral", "sponge", "spring", "spruce", "square", "squire", "stable", "stadium", "stairs",
    "stallion", "starling", "statue", "steeple", "stocking", "stranger", "stream", "street", "string", "studio", "submarine",
    "suitcase", "summer", "sunset", "surgeon", "swallow", "switch", "tailor", "tambourine", "tangerine", "tapestry", "target",
    "tavern", "teacher", "teapot", "temple", "tennis", "terrace", "theater", "thicket", "thimble", "thistle", "throne",
    "thunder", "ticket", "timber", "tobacco", "toffee", "tomato", "tongue", "tornado", "tortoise", "toucan", "tourist",
    "tractor", "trader", "trapeze", "treasure", "trellis", "trench", "trombone", "trophy", "trumpet", "tunnel", "turban",
    "turkey", "turnip", "turret", "turtle", "typist", "umbrella", "unicorn", "uniform", "urchin", "vacuum", "valley",
    "vampire", "vanilla", "velvet", "vendor", "veranda", "vessel", "veteran", "viaduct", "victor", "village", "vinegar",
    "violet", "violin", "visitor", "volcano", "vulture", "waffle", "waiter", "wallet", "walnut", "walrus", "warden",
    "warehouse", "warrior", "waterfall", "weapon", "weaver", "wedding", "weevil", "whisker", "whisky", "whistle", "willow",
    "window", "winter", "witness", "wizard", "wombat", "worker", "workshop", "wreath", "wrestler", "yogurt", "zeppelin",
    "zipper",
};
enum { N_SHORT = sizeof short_words / sizeof *short_words, N_LONG = sizeof long_words / sizeof *long_words };

int64_t kvl_vocabulary_n_words(void)
{
    return N_SHORT + N_LONG;
}

const char *kvl_vocabulary_word(int64_t i)
{
    assert(i >= 0 && i < kvl_vocabulary_n_words());
    return i < N_SHORT ? short_words[i] : long_words[i - N_SHORT];
}

int64_t kvl_vocabulary_n_compounds(void)
{
    return (int64_t)N_SHORT * N_SHORT;
}

static int by_text(const void *key, const void *element)
{
    return strcmp(key, *(const char *const *)element);
}

enum kvl_status kvl_vocabulary_add_compound(struct kvl_text *text, int64_t i, bool *exists)
{
    char word[16];
    assert(i >= 0 && i < kvl_vocabulary_n_compounds());
    snprintf(word, sizeof word, "%s%s", short_words[i / N_SHORT], short_words[i % N_SHORT]);
    *exists = i / N_SHORT != i % N_SHORT && !bsearch(word, long_words, N_LONG, sizeof *long_words, by_text);
    return *exists ? kvl_text_add(text, word) : KVL_OK;
}
