# Overlap of top tokens between layers: a panel per prompts and number of top tokens, a line for each half of the layers by the
# distance to the later layer; dashed: what chance would give. What kvlab sets stands in style.gp and layer_lines.gp.

load folder."/style.gp"
x_title = "Distance between the layers"
y_title = "Top tokens in common (%)"
x_first = 1
y_top = 102
load folder."/layer_lines.gp"
