# Scores against a rate: a panel per context, a line per method, the full cache as a dashed line across. Loaded behind style.gp.
#
# kvlab sets besides what style.gp lists: x_title, y_title, ticks[] of n_ticks (the rates), n_references (the first series,
# which are lines across). Data: block (panel - 1) * n_series + series - 1 with columns x, score, standard error, in percent.

n_places = n_groups
load folder."/panels.gp"

stats data using 1 nooutput
span = STATS_max > STATS_min ? STATS_max - STATS_min : STATS_max
left = STATS_min - 0.12 * span
right = STATS_max + 0.12 * span
set xrange [left:right]
if (n_ticks <= 8) {
    set xtics ()
    do for [t = 1:n_ticks] { set xtics add (sprintf("%g", ticks[t]) ticks[t]) }
}

# All panels share the scale of the scores, a little wider than what they show, and never far beyond 0 and 100.
stats data using ($2 - $3) nooutput
lowest = STATS_min
stats data using ($2 + $3) nooutput
margin = 0.06 * (STATS_max > lowest ? STATS_max - lowest : 10)
lowest = lowest - margin < -2 ? -2 : lowest - margin
highest = STATS_max + margin > 102 ? 102 : STATS_max + margin
set yrange [lowest:highest]

# Points that would hide each other at one rate stand a little apart.
apart(s) = (s - n_references - 0.5 * (n_series - n_references + 1)) * 0.008 * span
block(g, s) = (g - 1) * n_series + s - 1
dash(s) = variant[s] % 5 + 1

set multiplot
set label 5 y_title at screen 0.022, 0.5 * (page_top + page_bottom) center rotate by 90
do for [g = 1:n_groups] {
    @panel
    x_here = is_lowest ? x_title : ""
    set xlabel x_here
    set label 4 groups[g] at screen x + 0.5 * width, y + 0.022 center font ",13"
    plot for [s = 1:n_references] data index block(g, s) using (0.5 * (left + right)):2:(left):(right):($2 - $3):($2 + $3) \
             with boxxyerror fs transparent solid 0.10 noborder lc rgb colour(s), \
         for [s = 1:n_references] data index block(g, s) using (left):2:(right - left):(0) \
             with vectors nohead dt (12, 8) lw 2 lc rgb colour(s), \
         for [s = n_references + 1:n_series] data index block(g, s) using ($1 + apart(s)):2 \
             with lines lw 2 dt dash(s) lc rgb colour(s), \
         for [s = n_references + 1:n_series] data index block(g, s) using ($1 + apart(s)):2:3 \
             with yerrorbars lw 1.5 pt point(s) ps 1.3 lc rgb colour(s)
    unset label
}
@legend
plot NaN, for [s = 1:n_references] keyentry with lines dt (12, 8) lw 2 lc rgb colour(s) title series[s], \
     for [s = n_references + 1:n_series] keyentry with linespoints lw 2 dt dash(s) pt point(s) ps 1.3 lc rgb colour(s) \
         title series[s]
unset multiplot
