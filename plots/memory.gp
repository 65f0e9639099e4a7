# Memory: a panel each for the cache and the peak, bars grouped by context; above the bars of the cache their share of the full one.

load folder."/style.gp"
load folder."/bars.gp"
