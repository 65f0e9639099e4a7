# Distance from the full cache: a panel per prompts for the hidden state and for the logits, a line per method, by the layer that
# cuts. What kvlab sets stands in style.gp and layer_lines.gp.

load folder."/style.gp"
x_title = "TSP or filter layer"
y_title = "Normalized L2 distance"
x_first = 0
y_top = 0
load folder."/layer_lines.gp"
