# Attention recall: a panel per prompts, a line per number of top tokens, by layer. What kvlab sets stands in style.gp and
# layer_lines.gp.

load folder."/style.gp"
x_title = "Layer"
y_title = "Share of the attention (%)"
x_first = 0
y_top = 102
load folder."/layer_lines.gp"
