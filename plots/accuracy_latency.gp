# Accuracy against latency: a point per configuration with both errors and its KV rate beside it, points of a method joined; in grey the
# steps of what none beats in both. A panel per context.
#
# kvlab sets besides what style.gp lists: x_title, y_title. Data: block (panel - 1) * (n_series + 1) + series - 1 with columns time,
# p05, p95, score, standard error, label; behind the series of each panel a block of the steps: time, score.

load folder."/style.gp"
n_places = n_groups
load folder."/panels.gp"

block(g, s) = (g - 1) * (n_series + 1) + s - 1

# A round step of which `most` cover a span.
step_of(span, most) = (magnitude = 10 ** floor(log10(span / most)), ratio = span / most / magnitude, \
                       magnitude * (ratio > 5 ? 10 : ratio > 2 ? 5 : ratio > 1 ? 2 : 1))

set multiplot
set label 5 y_title at screen 0.022, 0.5 * (page_top + page_bottom) center rotate by 90
do for [g = 1:n_groups] {
    @panel
    x_here = is_lowest ? x_title : ""
    first_block = block(g, 1)
    last_block = block(g, n_series)
    set autoscale xy # stats passes over what is out of range
    stats data index first_block:last_block using 2 nooutput
    least = STATS_min
    stats data index first_block:last_block using 3 nooutput
    most = STATS_max
    stats data index first_block:last_block using ($4 - $5) nooutput
    lowest = STATS_min
    stats data index first_block:last_block using ($4 + $5) nooutput
    highest = STATS_max
    stats data index last_block + 1 using 1 nooutput
    slowest = STATS_max
    stats data index last_block + 1 using 2 nooutput
    best = STATS_max
    stats data index first_block:last_block using 4 nooutput
    with_labels = STATS_records <= 10
    span = most > least ? most - least : most
    right = most + 0.10 * span
    set xtics step_of(span, 4)
    margin = 0.10 * (highest > lowest ? highest - lowest : 10)
    set xrange [least - 0.08 * span:right]
    set yrange [(lowest - margin < -2 ? -2 : lowest - margin):(highest + margin > 104 ? 104 : highest + margin)]
    set ytics step_of(highest - lowest + 2 * margin, n_rows > 1 ? 5 : 8)
    set xlabel x_here
    set label 4 groups[g] at screen x + 0.5 * width, y + 0.022 center font ",13"
    plot data index last_block + 1 using 1:2 with steps lw 5 lc rgb 0xd0d0d0, \
         "+" using (slowest):(best):(right - slowest):(0) every ::0::0 with vectors nohead lw 5 lc rgb 0xd0d0d0, \
         for [s = 1:n_series] data index block(g, s) using 1:4 with lines lw 1.5 dt 3 lc rgb colour(s), \
         for [s = 1:n_series] data index block(g, s) using 1:4:2:3:($4 - $5):($4 + $5) \
             with xyerrorbars lw 1.5 pt point(s) ps 1.4 lc rgb colour(s), \
         for [s = 1:n_series] data index block(g, s) every 2::0 using 1:4:(with_labels ? label_of(strcol(6)) : "") \
             with labels right offset -0.5, 0.6 font ",10" textcolor rgb 0x444444, \
         for [s = 1:n_series] data index block(g, s) every 2::1 using 1:4:(with_labels ? label_of(strcol(6)) : "") \
             with labels left offset 0.5, 0.6 font ",10" textcolor rgb 0x444444
    unset label
}
@legend
plot NaN, for [s = 1:n_series] keyentry with linespoints lw 1.5 dt 3 pt point(s) ps 1.4 lc rgb colour(s) title series[s]
unset multiplot
