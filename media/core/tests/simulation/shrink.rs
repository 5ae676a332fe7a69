//! Makes the plan of a failing run shorter: leaves out actions as long as the
//! same law stays broken.

use crate::{faults::Fault, plan::Plan, problem::Law, run};

/// Runs spent on it.
const MAX_RUNS: usize = 600;

/// The shortest plan found that breaks `law` as `plan` does.
pub fn shrink(plan: &Plan, law: Law, fault: Fault) -> Plan {
    let mut best = plan.clone();
    let mut runs = 0;
    let mut chunk = best.actions.len().div_ceil(2).max(1);
    loop {
        let mut from = 0;
        let mut shorter = false;
        while from < best.actions.len() && runs < MAX_RUNS {
            let mut candidate = best.clone();
            candidate.leave_out(from, chunk);
            runs += 1;
            if run(&candidate, fault).err().is_some_and(|problem| problem.law == law) {
                best = candidate;
                shorter = true;
            } else {
                from += chunk;
            }
        }
        if runs >= MAX_RUNS || chunk == 1 && !shorter {
            return best;
        }
        chunk = (chunk / 2).max(1);
    }
}
