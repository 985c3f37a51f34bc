//! Lambda: functions and their invocation.
