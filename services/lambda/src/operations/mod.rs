//! The operations, one file each.

pub(crate) mod create_function;
pub(crate) mod delete_function;
pub(crate) mod delete_function_concurrency;
pub(crate) mod get_function;
pub(crate) mod get_function_concurrency;
pub(crate) mod get_function_configuration;
pub(crate) mod invoke;
pub(crate) mod list_functions;
pub(crate) mod put_function_concurrency;
