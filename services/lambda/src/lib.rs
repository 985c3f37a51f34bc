//! Lambda: functions and their invocation.
#![allow(dead_code)]

mod code;
mod function_name;
mod variables;
