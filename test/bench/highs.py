"""Solves a multiple-choice knapsack that a bench wrote with HiGHS: its relaxation and, within a limit, itself.

    python highs.py PROGRAM [SECONDS]
"""

import json
import sys
import time

import highspy
import numpy as np

LIMIT_SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 300


def solve(program, whole):
    first = np.array(program["first"])
    utility = np.array(program["utility"])
    options = len(utility)
    contexts = len(first) - 1
    use = np.array([np.array(row) / limit for row, limit in zip(program["use"], program["limits"])])
    scale = np.abs(utility).max()
    owner = np.repeat(np.arange(contexts), np.diff(first))
    columns, rows, values = [owner], [np.arange(options)], [np.ones(options)]
    for r, row in enumerate(use):
        columns.append(np.full(options, contexts + r))
        rows.append(np.arange(options))
        values.append(row)
    flows = program["flows"]
    for k, flow in enumerate(flows):
        plus, minus = flow["plus"], flow["minus"]
        columns.append(np.full(len(plus) + len(minus), contexts + len(use) + k))
        rows.append(np.array(plus + minus, dtype=int))
        values.append(np.concatenate([np.ones(len(plus)), -np.ones(len(minus))]))
    row_of = np.concatenate(columns)
    option_of = np.concatenate(rows)
    value_of = np.concatenate(values)
    order = np.lexsort((option_of, row_of))
    starts = np.searchsorted(row_of[order], np.arange(contexts + len(use) + len(flows)))
    lp = highspy.HighsLp()
    lp.num_col_ = options
    lp.num_row_ = contexts + len(use) + len(flows)
    lp.col_cost_ = utility / scale
    lp.col_lower_ = np.zeros(options)
    lp.col_upper_ = np.ones(options)
    even = np.zeros(len(flows))
    lp.row_lower_ = np.concatenate([np.ones(contexts), np.full(len(use), -highspy.kHighsInf), even])
    lp.row_upper_ = np.concatenate([np.ones(contexts + len(use)), even])
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.append(starts, len(row_of))
    lp.a_matrix_.index_ = option_of[order]
    lp.a_matrix_.value_ = value_of[order]
    if whole:
        lp.integrality_ = [highspy.HighsVarType.kInteger] * options
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("time_limit", LIMIT_SECONDS)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("mip_rel_gap", 1e-12)
    solver.setOptionValue("mip_abs_gap", 1e-12)
    solver.setOptionValue("mip_feasibility_tolerance", 1e-9)
    solver.setOptionValue("primal_feasibility_tolerance", 1e-9)
    solver.passModel(lp)
    began = time.process_time()
    solver.run()
    seconds = time.process_time() - began
    info = solver.getInfo()
    optimal = solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return {"seconds": seconds, "value": info.objective_function_value * scale if optimal else None}


with open(sys.argv[1]) as file:
    PROGRAM = json.load(file)
print(json.dumps({"lp": solve(PROGRAM, False), "mip": solve(PROGRAM, True)}))
