# Needle in a haystack: score by context and depth of the needle, a panel per method; the beginning of the prompt is on top.

load folder."/style.gp"
y_down = 1
from = 0
to = 100
load folder."/heat_map.gp"
