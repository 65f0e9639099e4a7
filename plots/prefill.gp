# Prefill latency against the context, both logarithmic: a line per method with whiskers from p05 to p95, a panel per machine or what
# else differs.
#
# kvlab sets besides what style.gp lists: y_title, ticks[] and tick_labels[] of n_ticks (the contexts). Data: block
# (panel - 1) * n_series + series - 1 with columns context, median, p05, p95.

load folder."/style.gp"
n_places = n_groups
load folder."/panels.gp"

set logscale x 2
set logscale y 10
stats data using 1 nooutput
set xrange [STATS_min / 1.25:STATS_max * 1.25]
stats data using 3 nooutput
lowest = STATS_min / 1.3
stats data using 4 nooutput
set yrange [lowest:STATS_max * 1.3]
set xtics ()
do for [t = 1:n_ticks] { set xtics add (tick_labels[t] ticks[t]) }

# Two decades and less have too few round numbers of its own.
if (STATS_max < 300 * lowest) {
    set ytics (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, \
               10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000)
} else {
    set format y "%g"
}
block(g, s) = (g - 1) * n_series + s - 1
dash(s) = variant[s] % 5 + 1

set multiplot
set label 5 y_title at screen 0.014, 0.5 * (page_top + page_bottom) center rotate by 90
do for [g = 1:n_groups] {
    @panel
    x_here = is_lowest ? "Context (tokens)" : ""
    set xlabel x_here
    set label 4 groups[g] at screen x + 0.5 * width, y + 0.022 center font ",13"
    plot for [s = 1:n_series] data index block(g, s) using 1:2 with lines lw 2 dt dash(s) lc rgb colour(s), \
         for [s = 1:n_series] data index block(g, s) using 1:2:3:4 \
             with yerrorbars lw 1.5 pt point(s) ps 1.2 lc rgb colour(s)
    unset label
}
@legend
plot NaN, for [s = 1:n_series] keyentry with linespoints lw 2 dt dash(s) pt point(s) ps 1.2 lc rgb colour(s) title series[s]
unset multiplot
