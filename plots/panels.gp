# Several panels on a page: how many columns and rows, and how large. Loaded behind style.gp with n_places, how many there are.
#
# gap_x and gap_y, between panels, may be set before. `@panel` in a loop over g = 1 .. n_places puts what is plotted next into
# panel g; `is_left` and `is_lowest` say where that is.

n_columns = n_places < 3 ? n_places : n_places == 4 ? 2 : n_places <= 9 ? 3 : 4
n_rows = (n_places + n_columns - 1) / n_columns
if (!exists("gap_x")) { gap_x = n_columns < 3 ? 0.055 : 0.048 }
if (!exists("gap_y")) { gap_y = 0.11 }
width = (page_right - page_left - gap_x * (n_columns - 1)) / n_columns
height = (page_top - page_bottom - gap_y * (n_rows - 1)) / n_rows

panel = 'x = page_left + ((g - 1) % n_columns) * (width + gap_x); y = page_top - ((g - 1) / n_columns) * (height + gap_y); \
    is_left = (g - 1) % n_columns == 0; is_lowest = g + n_columns > n_places; \
    set lmargin at screen x; set rmargin at screen x + width; set tmargin at screen y; set bmargin at screen y - height'
