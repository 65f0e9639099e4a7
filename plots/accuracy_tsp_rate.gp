# Accuracy against TSP rate, a line per KV rate. The lines are mostly of one method: each has a colour of its own here.

load folder."/style.gp"

lines_of(s) = s - n_references
colour(s) = s <= n_references ? okabe_ito[1] : okabe_ito[own[(lines_of(s) - 1) % 6 + 1]]
point(s) = s <= n_references ? symbol[1] : symbol[own[(lines_of(s) - 1) % 6 + 1]]
array own[6] = [5, 7, 4, 2, 3, 6]

load folder."/score_lines.gp"
