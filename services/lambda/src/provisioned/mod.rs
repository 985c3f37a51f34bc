//! Provisioned concurrency: environments of a version that stand before anybody calls.
//!
//! Read [`wanted`] (what configurations and aliases ask of which version), then [`keeper`] (the worker that brings it
//! about) and [`describe`] (what callers are told of it). That an environment is kept is the pool's business.

pub(crate) mod describe;
pub(crate) mod keeper;
pub(crate) mod rules;
pub(crate) mod wanted;
