# Latency: a panel each for prefill and decode, bars grouped by context; above each bar how many times faster than the full cache.

load folder."/style.gp"
load folder."/bars.gp"
