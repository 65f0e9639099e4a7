# Bars grouped by context, a panel per quantity, whiskers from low to high, a label above each bar. Loaded behind style.gp.
#
# kvlab sets besides what style.gp lists: n_panels, panels[] (titles) and column_of[] (first column of the panel's numbers).
# Data: block series - 1, a line per group: its number from 0, then for each panel value, low, high, label.

bar = 0.84 / n_series
place(g, s) = g + 1 + (s - 0.5 * (n_series + 1)) * bar

# The fewer pixels a bar has, the smaller its label; at last there is none.
n_bars = n_series * n_groups * n_panels
crowded = n_bars > 24
label_font = n_bars > 56 ? ",8" : ",10"
justified = crowded ? "left" : "center"
shown(text) = n_bars <= 84 ? label_of(text) : ""

gap = 0.075
width = (page_right - page_left - gap * (n_panels - 1)) / n_panels
set tmargin at screen page_top
set bmargin at screen page_bottom - 0.03
set xrange [0.45:n_groups + 0.55]
set xtics scale 0 ()
do for [g = 1:n_groups] { set xtics add ((n_groups > 4 ? without_unit(groups[g]) : groups[g]) g) }
set style fill solid 1 noborder
set boxwidth 0.92 * bar

set multiplot
do for [p = 1:n_panels] {
    c = column_of[p]
    set lmargin at screen page_left + (p - 1) * (width + gap)
    set rmargin at screen page_left + (p - 1) * (width + gap) + width
    set autoscale y # stats passes over what is out of range
    stats data using (column(c + 2)) nooutput
    set yrange [0:STATS_max * (crowded ? 1.15 : 1.08)]
    above = STATS_max * 0.012
    set ylabel panels[p] offset 0.5, 0
    plot for [s = 1:n_series] data index s - 1 using (place($1, s)):(column(c)) with boxes lc rgb colour(s), \
         for [s = 1:n_series] data index s - 1 using (place($1, s)):(column(c + 1)):(0):(column(c + 2) - column(c + 1)) \
             with vectors nohead lw 1.5 lc rgb grey, \
         for [s = 1:n_series] data index s - 1 \
             using (place($1, s)):(column(c + 2) + above):(shown(strcol(c + 3))) \
             with labels offset 0, (crowded ? 0 : 0.4) rotate by (crowded ? 90 : 0) @justified font label_font
    unset label
}
@legend
plot NaN, for [s = 1:n_series] keyentry with boxes lc rgb colour(s) title series[s]
unset multiplot
