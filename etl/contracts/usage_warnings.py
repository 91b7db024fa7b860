"""What users of a table must know before they use it: a closed list, to which contracts refer by key."""

WARNINGS: dict[str, str] = {
    "withheld_cells": (
        "Publishers withhold cells. A withheld cell is null, never zero: check `employment_status` and use "
        "`employment_low` and `employment_high`; leave nulls out of sums only on purpose."
    ),
    "noise_infused": (
        "The Census Bureau has changed figures at random since 2007 (`employment_status` is `noised`). A figure lies "
        "within its bounds; small differences between cells mean nothing."
    ),
    "modelled_figures": (
        "Some figures are estimates of ours (`employment_status` is `estimated`, `modelled` or `bounded`). Quote them "
        "with their bounds and grade, and name Clusterbridge as their source; grade D is shown and not to be ranked."
    ),
    "do_not_sum_levels": (
        "Rows of several levels stand side by side: a nation, its states and their counties; industries and the groups "
        "above them. Choose one `region_scheme`, and of industries the rows with `is_leaf`, before you sum."
    ),
    "break_in_series": (
        "Sources, classifications and regions change between years: compare years within one `source`, and read "
        "tables `definition_break` and `concordance` before you call a difference growth."
    ),
    "concepts_differ": (
        "The American side counts employees in March, the European persons employed over the year; see `concept` in "
        "table `source`. Compare shares and quotients across the Atlantic, not numbers of people."
    ),
    "midpoint_fill": (
        "The portal fills withheld cells with the middle of their range and says so nowhere; its figures stand here "
        "to be compared with ours, not to be used in their place."
    ),
    "modelled_weights": (
        "Where a code goes to several targets the weights are estimates (`weight_method` is `employment` or `equal`); "
        "`weight_low` and `weight_high`, where they are there, say what is certain."
    ),
    "similarity_only": "Likeness is no cause: it says where to look, not what would follow from what.",
    "largest_only": (
        "Of each table, column and kind only the 1,000 largest changes are listed. `changes.json` counts all of them; "
        "`clusterbridge diff` compares any two versions."
    ),
}
