# Accuracy by TSP layer and TSP rate, a panel per KV rate. The scale spans what there is: differences are small behind the middle layer.

load folder."/style.gp"
y_down = 0
stats data using 3 nooutput
from = STATS_max > STATS_min ? floor(STATS_min) : STATS_min - 1
to = STATS_max > STATS_min ? ceil(STATS_max) : STATS_max + 1
load folder."/heat_map.gp"
