//! What the fuzz targets do: give a fuzzer's bytes, as a file, to what the program reads such files with.

// The name that the files shared with the tests of `formats` know.
extern crate formats as lesiontrace_formats;

mod input;
pub mod targets;

#[path = "../../formats/tests/hostile/readers.rs"]
#[expect(unreachable_pub, reason = "the tests of `formats` use the same file from outside")]
mod readers;
#[path = "../../formats/tests/hostile/secrets.rs"]
#[expect(unreachable_pub, reason = "the tests of `formats` use the same file from outside")]
mod secrets;

#[path = "../../lesiontrace/src/config.rs"]
#[expect(dead_code, reason = "one function of the program's module is a target")]
mod config;
#[path = "../../lesiontrace/src/out.rs"]
#[expect(dead_code, reason = "the module above uses a part of it")]
mod out;

/// A panic inside a foreign decoder is caught and becomes an error; only one that escapes is a crash. The fuzzer's own hook
/// would end the process at the first of both kinds.
pub fn let_caught_panics_pass() {
    std::panic::set_hook(Box::new(|_| {}));
}
