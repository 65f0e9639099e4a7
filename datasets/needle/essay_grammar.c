#include "datasets/needle/essay_grammar.h"

/* trade, trades, material, tool, tools, product, products, workshop */
static const char *const trades[] = {
    "potter",       "potters",       "clay",      "wheel",    "wheels",    "bowl",     "bowls",     "pottery",
    "weaver",       "weavers",       "wool",      "loom",     "looms",     "blanket",  "blankets",  "weaving shed",
    "baker",        "bakers",        "flour",     "oven",     "ovens",     "loaf",     "loaves",    "bakery",
    "carpenter",    "carpenters",    "oak",       "plane",    "planes",    "table",    "tables",    "workshop",
    "blacksmith",   "blacksmiths",   "iron",      "hammer",   "hammers",   "gate",     "gates",     "forge",
    "tailor",       "tailors",       "cloth",     "thimble",  "thimbles",  "coat",     "coats",     "tailoring room",
    "cobbler",      "cobblers",      "leather",   "awl",      "awls",      "boot",     "boots",     "boot shop",
    "printer",      "printers",      "paper",     "press",    "presses",   "pamphlet", "pamphlets", "printing house",
    "gardener",     "gardeners",     "soil",      "spade",    "spades",    "hedge",    "hedges",    "nursery",
    "candle maker", "candle makers", "wax",       "mould",    "moulds",    "candle",   "candles",   "chandlery",
    "glassblower",  "glassblowers",  "glass",     "blowpipe", "blowpipes", "bottle",   "bottles",   "glassworks",
    "mason",        "masons",        "stone",     "chisel",   "chisels",   "arch",     "arches",    "stone yard",
    "cooper",       "coopers",       "ash wood",  "adze",     "adzes",     "barrel",   "barrels",   "cooperage",
    "rope maker",   "rope makers",   "hemp",      "spindle",  "spindles",  "rope",     "ropes",     "rope walk",
    "clockmaker",   "clockmakers",   "brass",     "lathe",    "lathes",    "clock",    "clocks",    "clock room",
    "bookbinder",   "bookbinders",   "linen",     "clamp",    "clamps",    "book",     "books",     "bindery",
    "net maker",    "net makers",    "twine",     "shuttle",  "shuttles",  "net",      "nets",      "net loft",
    "shipwright",   "shipwrights",   "larch",     "mallet",   "mallets",   "boat",     "boats",     "boatyard",
    "cheesemaker",  "cheesemakers",  "milk",      "ladle",    "ladles",    "cheese",   "cheeses",   "dairy",
    "basket maker", "basket makers", "willow",    "bodkin",   "bodkins",   "basket",   "baskets",   "willow barn",
    "dyer",         "dyers",         "silk",      "vat",      "vats",      "scarf",    "scarves",   "dye house",
    "thatcher",     "thatchers",     "straw",     "rake",     "rakes",     "roof",     "roofs",     "straw barn",
    "violin maker", "violin makers", "spruce",    "gouge",    "gouges",    "violin",   "violins",   "attic workshop",
    "map maker",    "map makers",    "parchment", "compass",  "compasses", "map",      "maps",      "drawing room",
    "saddler",      "saddlers",      "hide",      "knife",    "knives",    "saddle",   "saddles",   "saddlery",
    "tinsmith",     "tinsmiths",     "tin",       "anvil",    "anvils",    "kettle",   "kettles",   "tin shop",
};

/* name, he, his, him */
static const char *const people[] = {
    "Agnes",  "she", "her", "her", "Tobias", "he",  "his", "him", "Martha", "she", "her", "her", "Silas",  "he",  "his", "him",
    "Edith",  "she", "her", "her", "Walter", "he",  "his", "him", "Hannah", "she", "her", "her", "Jonas",  "he",  "his", "him",
    "Beatrice", "she", "her", "her", "Oscar", "he", "his", "him", "Clara",  "she", "her", "her", "Felix",  "he",  "his", "him",
    "Ruth",   "she", "her", "her", "Edmund", "he",  "his", "him", "Ingrid", "she", "her", "her", "Hugo",   "he",  "his", "him",
    "Nora",   "she", "her", "her", "Samuel", "he",  "his", "him", "Lydia",  "she", "her", "her", "Arthur", "he",  "his", "him",
    "Judith", "she", "her", "her", "Thomas", "he",  "his", "him", "Rosa",   "she", "her", "her", "Victor", "he",  "his", "him",
    "Alice",  "she", "her", "her", "Henry",  "he",  "his", "him", "Sarah",  "she", "her", "her", "Daniel", "he",  "his", "him",
};

static const char *const places[] = {
    "the harbour town", "the upper valley", "the old quarter", "the river country", "the hill parish", "the market town",
    "the fishing village", "the northern district", "the forest hamlet", "the island community", "the border country",
    "the lower town", "the mill village", "the coast village", "the mountain village", "the southern suburb", "the ferry town",
    "the quarry village", "the orchard country", "the cathedral city", "the marsh country", "the old port", "the lake district",
    "the railway town", "the canal quarter", "the garden suburb", "the mining valley", "the castle town",
};

static const char *const seasons[] = {"spring", "summer", "autumn", "winter"};

static const char *const weathers[] = {
    "rain", "fog", "frost", "snow", "wind", "hail", "drizzle", "heat", "thunder", "mist", "sleet", "sunshine",
};

static const char *const times[] = {
    "before dawn", "at noon", "in the late afternoon", "after the harvest", "on the first cold morning", "at the end of the week",
    "on market days", "in the evening", "after supper", "on quiet Sundays", "when the shops close", "long after midnight",
    "at the turn of the year", "in the slow weeks after the fair", "when the river is low", "at the start of the season",
};

static const char *const virtues[] = {
    "patience", "care", "thrift", "courage", "modesty", "attention", "honesty", "good humour", "persistence", "kindness",
    "steadiness", "curiosity", "restraint", "order", "common sense", "practice",
};

static const char *const faults[] = {
    "haste", "pride", "vanity", "greed", "impatience", "carelessness", "envy", "boredom", "stubbornness", "worry", "fear", "habit",
};

static const char *const neighbours[] = {
    "schoolteacher", "widow", "traveller", "doctor", "shopkeeper", "farmer", "postman", "ferryman", "musician", "apprentice",
    "lawyer", "painter", "shepherd", "librarian", "innkeeper", "midwife", "soldier", "student", "clerk", "judge", "priest",
    "merchant", "fisherman", "journalist",
};

static const char *const relatives[] = {
    "grandfather", "grandmother", "aunt", "uncle", "older brother", "younger sister", "father", "mother", "cousin", "godmother",
};

static const char *const animals[] = {
    "horse", "dog", "cat", "goat", "heron", "crow", "mule", "sheep", "goose", "swallow", "hare", "owl", "fox", "donkey", "ox", "hen",
};

static const char *const foods[] = {
    "bread and cheese", "onion soup", "baked apples", "cold meat", "barley porridge", "plum cake", "dried fish", "roast chestnuts",
    "black tea", "warm milk", "pea soup", "pickled cabbage", "potatoes and butter", "fresh eggs", "honey cake", "stewed pears",
};

static const char *const landmarks[] = {
    "bridge", "mill", "chapel", "lighthouse", "station", "town hall", "school", "well", "square", "inn", "library", "old wall",
    "granary", "ferry landing", "clock tower", "orchard", "cemetery", "bathhouse", "theatre", "quarry", "post office", "weir",
};

static const char *const qualities[] = {
    "plain", "handsome", "modest", "quiet", "cheerful", "curious", "unusual", "ordinary", "elegant", "shabby", "remarkable",
    "pleasant", "sturdy", "old", "small", "simple", "strange", "beautiful", "clumsy", "odd", "decent", "honest", "peculiar", "humble",
};

static const char *const numbers[] = {"two", "three", "four", "five", "six", "seven", "eight", "ten", "twelve", "twenty"};

static const char *const spans[] = {"weeks", "months", "years", "winters", "summers", "days", "seasons"};

static const char *const feelings[] = {
    "relief", "surprise", "gratitude", "regret", "pride", "amusement", "doubt", "hope", "unease", "contentment", "sadness", "delight",
};

static const char *const subjects[] = {
    "taxes", "politics", "the weather", "old songs", "the price of land", "the railway", "history", "medicine", "music", "the new law",
    "the harvest", "travel", "good manners", "money", "the stars", "the schools", "marriage", "the war", "farming", "gardens",
};

static const char *const objects[] = {
    "letter", "ledger", "lamp", "hammock", "chair", "teapot", "jar", "umbrella", "notebook", "key ring", "mirror", "trunk", "bell",
    "painting", "flag", "suitcase", "calendar", "basin", "drum", "stool", "photograph", "wooden spoon", "hat", "bucket",
};

#define ROWS(cells, n_columns) (int)(sizeof(cells) / sizeof *(cells) / (n_columns)), cells
const struct kvl_essay_slots kvl_essay_slots[] = {
    {KVL_ESSAY_SECTION, 8, {"trade", "trades", "material", "tool", "tools", "product", "products", "workshop"}, ROWS(trades, 8)},
    {KVL_ESSAY_SECTION, 4, {"name", "he", "his", "him"}, ROWS(people, 4)},
    {KVL_ESSAY_SECTION, 1, {"place"}, ROWS(places, 1)},
    {KVL_ESSAY_PARAGRAPH, 1, {"season"}, ROWS(seasons, 1)},
    {KVL_ESSAY_PARAGRAPH, 1, {"landmark"}, ROWS(landmarks, 1)},
    {KVL_ESSAY_SENTENCE, 1, {"weather"}, ROWS(weathers, 1)},
    {KVL_ESSAY_SENTENCE, 1, {"time"}, ROWS(times, 1)},
    {KVL_ESSAY_SENTENCE, 1, {"virtue"}, ROWS(virtues, 1)},
    {KVL_ESSAY_SENTENCE, 1, {"fault"}, ROWS(faults, 1)},
    {KVL_ESSAY_SENTENCE, 1, {"neighbour"}, ROWS(neighbours, 1)},
    {KVL_ESSAY_SENTENCE, 1, {"relative"}, ROWS(relatives, 1)},
    {KVL_ESSAY_SENTENCE, 1, {"animal"}, ROWS(animals, 1)},
    {KVL_ESSAY_SENTENCE, 1, {"food"}, ROWS(foods, 1)},
    {KVL_ESSAY_SENTENCE, 1, {"quality"}, ROWS(qualities, 1)},
    {KVL_ESSAY_SENTENCE, 1, {"number"}, ROWS(numbers, 1)},
    {KVL_ESSAY_SENTENCE, 1, {"span"}, ROWS(spans, 1)},
    {KVL_ESSAY_SENTENCE, 1, {"feeling"}, ROWS(feelings, 1)},
    {KVL_ESSAY_SENTENCE, 1, {"subject"}, ROWS(subjects, 1)},
    {KVL_ESSAY_SENTENCE, 1, {"object"}, ROWS(objects, 1)},
};
const int kvl_essay_n_slots = sizeof kvl_essay_slots / sizeof *kvl_essay_slots;

static const char *const work_opening[] = {
    "I used to think that {virtue} was something you were born with, until I spent {number} {span} watching {a trade} at work.",
    "People who admire a good {product} seldom ask how much {material} was spoiled before it.",
    "Most of what is worth knowing about {material} cannot be learned from books, and every {trade} will tell you so {time}.",
    "There is a kind of {virtue} that belongs to {trades} and to hardly anyone else.",
    "The first thing a visitor notices in {a workshop} is the smell of {material}, and the second is {a quality} silence.",
    "It is easy to forget, in a shop full of {products}, that each one began as {a quality} heap of {material}.",
    "When the {neighbour} in our street wanted {a product} made properly, it took a walk past {number} shops to find the right {trade}.",
    "Nobody becomes {a trade} for the money, and very few stay one out of {fault}.",
    "A trade like this one looks {quality} from outside and anything but {quality} from within.",
};
static const char *const work[] = {
    "{a trade} who hurries the {material} pays for it {number} {span} later, when the {product} fails.",
    "The {tool} does only half of the work, and the hand that has learned to wait does the rest.",
    "You can hear from the next room whether the {tool} is being used with {virtue} or with {fault}.",
    "Good {material} forgives a small mistake, but it never forgives {fault}.",
    "The oldest {tool} in the {workshop} had belonged to {his} {relative}, and nobody was allowed to lend it.",
    "In {season} the {material} behaves differently, and the {trades} change their habits without discussing it.",
    "Cheap {tools} make {quality} {products}, which is why {trades} spend so much of their first wages on steel.",
    "Customers ask for {quality} {products} because they have seen them in a window, and they come back for plain ones.",
    "If the {weather} gets into the {workshop}, the {material} has to rest until it is fit to be used again.",
    "Every {product} leaves the {workshop} with a small flaw that only the maker can see.",
    "One learns to judge {material} by its weight, then by its sound, and finally by {a quality} feeling that has no name.",
    "The {trades} I know keep their accounts badly and their {tools} beautifully.",
    "Half of the day goes into preparing the {material}, and that half is never shown to visitors.",
    "An apprentice sweeps the floor for {number} {span} before anyone lets a beginner touch the {tool}.",
    "It takes {number} {span} to learn the movements, and the rest of a life to learn when to leave them out.",
    "The {neighbour} brought back {a quality} {product} to be mended, and it was mended without a word about the cost.",
    "What looks like {fault} in a beginner is often only a lack of good {material}.",
    "There are {trades} who talk about {subject} all day and never let it slow their hands.",
    "The best {products} are made {time}, when nobody comes to ask for anything.",
    "A broken {tool} is not thrown away but hung on the wall as a warning against {fault}.",
    "Some of the {products} are sold, some are given to {a neighbour}, and the worst are kept for the house.",
    "{material} that was bought in {season} is the best, or so the {trades} believe, and I have never seen them proved wrong.",
    "They say that {a quality} {workshop} makes {a quality} {trade}, but I suspect that it is the other way round.",
    "When {weather} keeps the customers away, the {tools} are cleaned, sharpened and put back in their order.",
    "The price of {material} rises whenever people begin to argue about {subject}.",
};
static const char *const place_opening[] = {
    "Anyone who has lived in {place} knows that {season} begins at the {landmark}.",
    "The road through {place} was laid by people who had never seen {weather} like ours.",
    "In {place} the houses stand close together, as if they were discussing {subject}.",
    "I came to {place} for {number} {span} and stayed because of the {landmark}.",
    "There is {a quality} {landmark} in {place}, and nobody can agree on who built it.",
    "Maps show {place} as a dot, which is unfair to the {landmark} and to everyone who lives near it.",
    "Before the {landmark} was repaired, {place} had a reputation for {fault}.",
    "The {weather} of {place} is the subject of more conversation than {subject} and the church together.",
};
static const char *const place[] = {
    "The {landmark} has been painted {number} times, and each time the {neighbour} complained about the colour.",
    "On some mornings the {weather} is so thick that the {animal} in the lane can be heard but not seen.",
    "Children learn to swim below the {landmark}, and their parents pretend not to know.",
    "The market is held {time}, whatever the {weather}, and it smells of {food}.",
    "{a neighbour} once counted the steps to the {landmark} and refused to tell anyone the result.",
    "Travellers complain about the beds, praise the {food}, and come back the next {season}.",
    "The council has promised a new roof for the {landmark} every {season} since I can remember.",
    "When the river rises, the people of {place} carry their chairs upstairs and wait with surprising {virtue}.",
    "There is a bench near the {landmark} where the {neighbour} sits {time} and talks about {subject}.",
    "The shops sell {products} that were made elsewhere, except for one, which belongs to {a trade}.",
    "A stray {animal} has slept in front of the {landmark} for {number} {span}, and everybody feeds it.",
    "In {season} the light falls sideways through the streets and makes even {a quality} wall look expensive.",
    "The older families remember when the {landmark} was {a quality} field with {a animal} in it.",
    "Strangers are told that {place} has no secrets, which is of course the first of them.",
    "After the {weather} the whole place smells of wet leaves and {food}.",
    "The bell at the {landmark} rings late, and the town has quietly arranged its life around the error.",
    "Nobody locks the door {time}, partly out of {virtue} and partly because the locks are rusty.",
    "Many questions about {subject} are settled at the {landmark}, between people who would deny having met there.",
    "The {neighbour} keeps {a object} in the window so that boats and friends can find the house in {weather}.",
    "Even the {animal} behind the inn seems to know when {season} is over.",
    "Rents are low near the {landmark} because of the noise, and so the musicians live there and add to it.",
};
static const char *const person_opening[] = {
    "{name} had been {a trade} for {number} {span} before anyone in {place} bought {a product} from {him}.",
    "The person who taught me most about {virtue} was {name}, who never used the word.",
    "I met {name} in {place}, where {he} was trying to sell {a object} to {a neighbour}.",
    "If you ask in {place} about {products}, someone will sooner or later mention {name}.",
    "{name} learned the work from {his} {relative}, who had learned it from {a quality} stranger.",
    "My friend {name} likes to say that {material} has a better memory than people.",
    "When {name} first opened the {workshop}, there was nothing in it but {a object} and {a tool}.",
};
static const char *const person[] = {
    "{he} never spoke about {subject} before noon, and seldom after it.",
    "Every {season} {name} closed the {workshop} for a week and walked to the {landmark} and back.",
    "{his} {relative} thought that {trades} were poor company, and said so {time} over {food}.",
    "Once {he} refused to sell {a product} to {a neighbour} because of a joke about {subject}.",
    "What {name} disliked most was {fault}, especially when it was dressed up as {virtue}.",
    "{he} kept {a object} beside the {tool}, and I never learned what it was for.",
    "{he} had {a quality} way of listening, as if you were describing a road that {he} would have to walk.",
    "One evening {name} burned {number} {products} in the yard, and the next morning {he} began again with {feeling}.",
    "{name} wrote down every mistake in {a quality} notebook that smelled of {material}.",
    "There was always {food} on the stove, and there was always {a neighbour} who happened to be passing.",
    "{he} could tell from the {weather} how the {material} would behave, and was wrong about once a year.",
    "I asked {him} about {subject}, and {he} answered by showing me how to hold the {tool}.",
    "{his} prices were {quality}, {his} promises were few, and {his} {products} were delivered {time}.",
    "The {neighbour} offered {him} a great deal of money for the {workshop}, which {he} declined with {feeling}.",
    "{name} believed that {virtue} could be taught, though not by talking.",
    "On the day that {his} {relative} died, {he} finished the {product} first and wept afterwards.",
    "{he} laughed when I called {him} an artist, and handed me {a quality} broom.",
    "Of all the {products} that {he} made, {he} kept only {a quality} one, and that one had a crack in it.",
    "To my {feeling}, {name} remembered the name of every customer and forgot the name of every street.",
    "{he} treated the {animal} better than the customers, and the customers did not mind.",
};
static const char *const closing[] = {
    "That is not {fault}, I think, but a quiet form of {virtue}.",
    "I have thought about this {time} ever since, usually with {feeling}.",
    "Perhaps {virtue} is only what remains when {fault} has worn itself out.",
    "None of this can be found in a book about {subject}, which may be why it has lasted.",
    "It is {a quality} lesson, and I had to learn it more than once.",
    "We could do with more of that in {place}, and elsewhere too.",
    "The longer I look at {material}, the less I believe in people who are sure about {subject}.",
    "And yet, {time}, when the {weather} lets up, one can see that it was worth the trouble.",
    "If there is a moral in it, the {neighbour} never found it, after looking for {number} {span}.",
    "So much depends on {virtue}, and so little is ever said about it.",
    "In the end the {product} outlives the argument, and that seems right to me.",
    "It was a small thing, but in {season} small things are what a town is made of.",
    "Whoever calls that {fault} has never waited for {material} to be ready in {season}.",
    "I left with {a object} under my arm and {a quality} idea of {subject} in my head.",
    "A place is known by what it repairs, and {place} repairs almost everything.",
    "The {animal} looked on with {feeling}, which is more than can be said for the rest of us.",
};

#define PATTERNS(list) {sizeof(list) / sizeof *(list), list}
const struct kvl_essay_patterns kvl_essay_patterns[KVL_ESSAY_N_CLASSES] = {
    [KVL_ESSAY_WORK_OPENING] = PATTERNS(work_opening),
    [KVL_ESSAY_WORK] = PATTERNS(work),
    [KVL_ESSAY_PLACE_OPENING] = PATTERNS(place_opening),
    [KVL_ESSAY_PLACE] = PATTERNS(place),
    [KVL_ESSAY_PERSON_OPENING] = PATTERNS(person_opening),
    [KVL_ESSAY_PERSON] = PATTERNS(person),
    [KVL_ESSAY_CLOSING] = PATTERNS(closing),
};
