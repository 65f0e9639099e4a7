# Accuracy against KV rate, a line per method.

load folder."/style.gp"
load folder."/score_lines.gp"
