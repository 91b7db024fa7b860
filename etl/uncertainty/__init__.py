"""How sure a figure is: hard bounds, the 80 % band, the grade, and the worlds from which bands and probabilities come.

One meaning each, on both sides of the Atlantic and at every step; nothing here knows a source or a step.

* hard bounds always hold: `low` and `high` are what the publisher and the sums leave open. Where nothing is known both
  are null; 0 to nothing is no bound.
* the 80 % band holds 80 % of the true values of held-out cells like this one. It lies within the bounds and holds the
  figure. Null where nothing like the cell was held out; an exact figure is its own band.
* the grade tells how wide the band is beside the figure (`grades`).
* worlds are sets of figures that respect everything that is printed (`worlds`, `composition`).
"""
