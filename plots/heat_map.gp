# Heat maps, a panel each, with one scale for all. Loaded behind style.gp.
#
# kvlab sets besides what style.gp lists: n_panels, panels[] (titles), n_x, x_labels[], n_y, y_labels[], x_title, y_title. Data: block
# panel - 1 with a line per cell: column and row from 0, score in percent, NaN where there is none. Set before: y_down (whether the
# first row is on top), from and to (ends of the scale).

page_left = 0.085
page_right = 0.90
page_bottom = 0.11
gap_x = 0.022
gap_y = 0.052
n_places = n_panels
load folder."/panels.gp"

# Viridis, for all kinds of colour vision and for print without colour: bad is dark, good is bright.
set palette defined (0 "#440154", 0.125 "#482878", 0.25 "#3e4989", 0.375 "#31688e", 0.5 "#26828e", 0.625 "#1f9e89", \
                     0.75 "#35b779", 0.875 "#6ece58", 0.94 "#b5de2b", 1 "#fde725")
set cbrange [from:to]
unset colorbox
unset grid
set border 0
set tics scale 0
set cbtics scale 0.4
set xrange [-0.5:n_x - 0.5]
set yrange [-0.5:n_y - 0.5]
if (y_down) { set yrange [n_y - 0.5:-0.5] }

# Labels as far as there is room for them, below the lowest panels and left of the first ones.
max_x = int(width * 1200 / 46)
max_y = int(height * 700 / 19)
step_x = n_x > max_x ? (n_x + max_x - 1) / max_x : 1
step_y = n_y > max_y ? (n_y + max_y - 1) / max_y : 1
roomy = width * 1200 / n_x > 30 && height * 700 / n_y > 17
in_cell(v) = roomy && v == v ? sprintf("%.0f", v) : ""
bright(v) = v > from + 0.55 * (to - from)

set style fill solid 1 noborder
set multiplot
set label 5 y_title at screen 0.018, 0.5 * (page_top + page_bottom) center rotate by 90
do for [g = 1:n_panels] {
    @panel
    x_here = is_lowest ? x_title : ""
    set xlabel x_here
    set xtics ()
    do for [i = 1:n_x:step_x] { set xtics add ((is_lowest ? x_labels[i] : "") i - 1) }
    set ytics ()
    do for [i = 1:n_y:step_y] { set ytics add ((is_left ? y_labels[i] : "") i - 1) }
    set label 4 panels[g] at screen x + 0.5 * width, y + 0.022 center font (n_rows > 3 ? ",10" : ",12")
    set object 1 rectangle from graph 0, 0 to graph 1, 1 behind fillcolor rgb 0xeeeeee fillstyle solid noborder
    if (g == n_panels) {
        set colorbox user vertical origin screen 0.925, page_bottom size screen 0.018, page_top - page_bottom
    }
    plot data index g - 1 using 1:2:($1 - 0.485):($1 + 0.485):($2 - 0.485):($2 + 0.485):3 with boxxyerror lc palette, \
         data index g - 1 using 1:2:(bright($3) ? in_cell($3) : "") with labels font ",10" textcolor rgb 0x000000, \
         data index g - 1 using 1:2:(bright($3) ? "" : in_cell($3)) with labels font ",10" textcolor rgb 0xffffff
    unset label
}
unset multiplot
