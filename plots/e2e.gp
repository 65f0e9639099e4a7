# End to end: bars grouped by context, the prefill below, the decoding on top of it hatched; whiskers from p05 to p95 of
# the whole; above each bar how many times faster than the full cache it is.
#
# kvlab sets besides what style.gp lists: y_title. Data: block series - 1, a line per group: its number from 0, the prefill, the
# whole, its low and high, a label.

load folder."/style.gp"

bar = 0.84 / n_series
place(g, s) = g + 1 + (s - 0.5 * (n_series + 1)) * bar
n_bars = n_series * n_groups
crowded = n_bars > 16
label_font = n_bars > 48 ? ",8" : ",10"
shown(text) = n_bars <= 60 ? label_of(text) : ""
justified = crowded ? "left" : "center"

set tmargin at screen page_top
set bmargin at screen page_bottom - 0.03
set lmargin at screen page_left
set rmargin at screen page_right
set xrange [0.45:n_groups + 0.55]
set xtics scale 0 ()
do for [g = 1:n_groups] { set xtics add ((n_groups > 6 ? without_unit(groups[g]) : groups[g]) g) }
set boxwidth 0.92 * bar
stats data using 5 nooutput
set yrange [0:STATS_max * (crowded ? 1.15 : 1.08)]
above = STATS_max * 0.012
set ylabel y_title offset 0.5, 0

set multiplot
plot for [s = 1:n_series] data index s - 1 using (place($1, s)):3 \
         with boxes fs pattern 5 border rgb colour(s) fc rgb colour(s), \
     for [s = 1:n_series] data index s - 1 using (place($1, s)):2 \
         with boxes fs solid 1 border rgb colour(s) fc rgb colour(s), \
     for [s = 1:n_series] data index s - 1 using (place($1, s)):4:(0):($5 - $4) with vectors nohead lw 1.5 lc rgb grey, \
     for [s = 1:n_series] data index s - 1 using (place($1, s)):($5 + above):(shown(strcol(6))) \
         with labels offset 0, (crowded ? 0 : 0.4) rotate by (crowded ? 90 : 0) @justified font label_font
unset label
@legend
plot NaN, for [s = 1:n_series] keyentry with boxes fs solid 1 lc rgb colour(s) title series[s], \
     keyentry with boxes fs solid 1 border rgb grey fc rgb grey title "solid: prefill", \
     keyentry with boxes fs pattern 5 border rgb grey fc rgb grey title "hatched: decoding"
unset multiplot
