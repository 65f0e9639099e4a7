# Lines over layers in panels: what the figures of `analyze` share. Loaded behind style.gp by their scripts, which set before:
# x_title, y_title, x_first, y_top (the upper end of all panels, 0 to fit the data). Data: block (panel - 1) * n_series +
# series - 1 with columns x, y, standard error; level[] is a dashed line across a panel, or NaN; panels of one scale[] share their scale.

stats data using 1 nooutput
x_last = STATS_max
set xrange [x_first - 0.3:x_last + 0.3]

block(g, s) = (g - 1) * n_series + s - 1
array highest[n_groups]
do for [g = 1:n_groups] { highest[g] = y_top }
do for [g = 1:n_groups] {
    stats data index block(g, 1):block(g, n_series) using ($2 + $3) nooutput
    if (y_top == 0 && 1.06 * STATS_max > highest[scale[g]]) { highest[scale[g]] = 1.06 * STATS_max }
}
sign(s) = symbol[(hue[s] + variant[s]) % 8 + 1]
dash(s) = variant[s] % 5 + 1

n_columns = n_groups == 4 ? 2 : n_groups < 3 ? n_groups : 3
n_rows = (n_groups + n_columns - 1) / n_columns
gap_x = 0.05
gap_y = n_rows > 2 ? 0.075 : 0.10
left = page_left - 0.005
width = (page_right - left - gap_x * (n_columns - 1)) / n_columns
height = (page_top - page_bottom - gap_y * (n_rows - 1)) / n_rows

set multiplot
set label 5 y_title at screen 0.022, 0.5 * (page_top + page_bottom) center rotate by 90
do for [g = 1:n_groups] {
    x = left + (g - 1) % n_columns * (width + gap_x)
    y = page_top - (g - 1) / n_columns * (height + gap_y)
    set lmargin at screen x
    set rmargin at screen x + width
    set tmargin at screen y
    set bmargin at screen y - height
    x_here = g + n_columns > n_groups ? x_title : ""
    set xlabel x_here
    set yrange [0:highest[scale[g]]]
    set label 4 groups[g] at screen x + 0.5 * width, y + 0.02 center font ",12"
    plot level[g] with lines dt (6, 6) lw 1.5 lc rgb grey, \
         for [s = 1:n_series] data index block(g, s) using 1:($2 - $3):($2 + $3) \
             with filledcurves fs transparent solid 0.18 noborder lc rgb colour(s), \
         for [s = 1:n_series] data index block(g, s) using 1:2 \
             with linespoints lw 2 dt dash(s) pt sign(s) ps 0.7 lc rgb colour(s)
    unset label
}
@legend
plot NaN, for [s = 1:n_series] keyentry with linespoints lw 2 dt dash(s) pt sign(s) ps 1 lc rgb colour(s) title series[s]
unset multiplot
