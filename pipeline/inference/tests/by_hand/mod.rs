//! Where a network written by hand says that it ran.

use lesiontrace_inference::Execution;

pub(crate) fn execution() -> Execution {
    Execution {
        runtime: "none".to_owned(),
        library: None,
        library_sha256: None,
        device: "cpu".to_owned(),
        execution_provider: "by hand".to_owned(),
        some_operators_on_cpu: false,
        n_threads: 1,
    }
}
