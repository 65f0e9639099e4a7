# What all figures share: colours, text, the frame. Loaded first by the script of each figure. bars.gp, heat_map.gp, panels.gp and
# score_lines.gp are parts of several figures.
#
# kvlab sets before: folder (of the scripts), terminal, output, data (file), title, remark, subtitle, n_series, n_groups,
# n_references (the first series: the full cache), and arrays from 1: series[] and groups[] (labels), hue[] (place of the method in
# kvlab's table), variant[] of variants[] (shade within that hue).

set encoding utf8
set terminal @terminal
set output output
set datafile separator tab
set datafile missing "NaN"

# Okabe and Ito's palette for all kinds of colour vision; the pale yellow comes last.
array okabe_ito[8] = [0x000000, 0xE69F00, 0x56B4E9, 0x009E73, 0x0072B2, 0xCC79A7, 0xD55E00, 0xF0E442]
array symbol[8] = [7, 5, 13, 9, 11, 15, 7, 6]
channel(c, t, s) = int(((c >> s) & 255) * (1 - t) + 255 * t) << s
lighten(c, t) = channel(c, t, 16) + channel(c, t, 8) + channel(c, t, 0)
shade(s) = variants[s] > 1 ? 0.65 * variant[s] / (variants[s] - 1) : 0
colour(s) = lighten(okabe_ito[hue[s] % 8 + 1], shade(s))
point(s) = symbol[hue[s] % 8 + 1]

# A label of the data; "-" stands for none, as gnuplot takes an empty column for the one before.
label_of(text) = text eq "-" ? "" : text

# "4k tokens" without its unit, where many groups stand side by side.
without_unit(text) = strstrt(text, " tokens") > 0 ? text[1:strstrt(text, " tokens") - 1].text[strstrt(text, " tokens") + 7:*] : text

grey = 0x666666
set border 3 lw 1 lc rgb grey
set tics nomirror out scale 0.6 textcolor rgb 0x222222
set grid ytics lt 1 lw 0.6 lc rgb 0xdddddd
unset key

# The panels' place on the page: titles above, the legend below.
page_left = 0.08
page_right = 0.985
page_top = 0.81
many = n_series > 12
page_bottom = many ? 0.255 : 0.205
set label 1 title at screen 0.5, 0.958 center font ",17"
set label 2 remark at screen 0.5, 0.912 center font ",11"
set label 3 subtitle at screen 0.5, 0.878 center font ",11" textcolor rgb grey

# The legend is a plot of its own, without axes, over the whole width: `@legend` before a plot of keyentries.
legend = 'unset logscale; unset border; unset tics; unset grid; unset xlabel; unset ylabel; unset label; \
    set xrange [0:1]; set yrange [0:1]; \
    set lmargin at screen 0.02; set rmargin at screen 0.98; set tmargin at screen (many ? 0.155 : 0.10); set bmargin at screen 0.01; \
    set key inside center center horizontal Left reverse noautotitle samplen 2 '.(many ? 'width 0 font ",10"' : 'width 2 font ",11"')
