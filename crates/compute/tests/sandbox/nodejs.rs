//! Functions on Node.js: handlers of every kind, and what each failure is called.

use libtest_mimic::Trial;
use serde_json::json;

use crate::rig::{Function, Rig, write_code};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    let trials = vec![
        trial("javascript_handlers_of_every_kind_answer", kinds),
        trial("javascript_failures_have_names", failures),
    ];
    let installed = node_is_installed();
    if !installed {
        eprintln!("\n*** SKIPPED: no function runs on Node.js here: there is no `node` in PATH ***\n");
    }
    trials.into_iter().map(|trial| trial.with_ignored_flag(!installed)).collect()
}

pub(crate) fn node_is_installed() -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join("node").exists())
}

/// A function of these files.
pub(crate) fn javascript(rig: &Rig, name: &str, handler: &str, files: &[(&str, &str)]) -> Function {
    let function = rig.python(name, "");
    for (file, text) in files {
        write_code(&function.0.code_dir, file, text);
    }
    function.with(|spec| {
        spec.runtime = "nodejs20.x".into();
        spec.handler = handler.into();
        spec.memory_mb = 256;
    })
}

async fn kinds() {
    let rig = Rig::start("javascript");
    let check = async |name: &str, handler: &str, files: &[(&str, &str)], expected: serde_json::Value| {
        let function = javascript(&rig, name, handler, files);
        for _ in 0..2 {
            assert_eq!(rig.value(&function, r#"{"n": 1}"#).await, expected, "{name}");
        }
    };
    let promise = "exports.handler = async (event, context) => ({ n: event.n + 1, left: context.getRemainingTimeInMillis() > 0 });";
    check("promise", "index.handler", &[("index.js", promise)], json!({"n": 2, "left": true})).await;
    let callback =
        "exports.go = (event, context, callback) => { setTimeout(() => callback(null, event.n), 1); };";
    check("callback", "src/app.go", &[("src/app.js", callback)], json!(1)).await;
    let at_once = "exports.go = (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; \
                   setInterval(() => {}, 1000); callback(null, 'now'); };";
    check("at_once", "app.go", &[("app.js", at_once)], json!("now")).await;
    let silent = "exports.go = () => { setTimeout(() => {}, 1); };";
    check("silent", "app.go", &[("app.js", silent)], json!(null)).await;
    let module = "export const go = async (event) => (await import('node:os')).hostname();";
    check("module", "app.go", &[("app.mjs", module)], json!("sandbox")).await;
    let package = [
        ("app.js", "import os from 'os';\nexport const go = () => Promise.resolve(os.hostname());"),
        ("package.json", r#"{"type": "module"}"#),
    ];
    check("package", "app.go", &package, json!("sandbox")).await;
    let nested = "exports.deep = { go: async () => process.env._HANDLER };";
    check("nested", "app.deep.go", &[("app.cjs", nested)], json!("app.deep.go")).await;
    rig.stop().await;
}

async fn failures() {
    let rig = Rig::start("javascript_failures");
    let check = async |name: &str, handler: &str, text: &str, kind: &str, message: &str| {
        let function = javascript(&rig, name, handler, &[("app.js", text)]);
        let (value, _) = rig.error(&function, "{}", kind).await;
        let found = value["errorMessage"].as_str().unwrap_or_default().to_owned();
        assert!(found.contains(message), "{name}: {value}");
    };
    check(
        "throws",
        "app.go",
        "exports.go = () => { throw new TypeError('no wings'); };",
        "TypeError",
        "no wings",
    )
    .await;
    check(
        "rejects",
        "app.go",
        "exports.go = async () => { throw new RangeError('too far'); };",
        "RangeError",
        "too far",
    )
    .await;
    check("calls_back", "app.go", "exports.go = (e, c, done) => done(new Error('lost'));", "Error", "lost")
        .await;
    check("string", "app.go", "exports.go = async () => { throw 'a word'; };", "string", "a word").await;
    check("missing", "app.gone", "exports.go = 1;", "Runtime.HandlerNotFound", "app.gone is undefined").await;
    check("no_module", "gone.go", "", "Runtime.ImportModuleError", "Cannot find module 'gone'").await;
    check("syntax", "app.go", "exports.go = (", "Runtime.UserCodeSyntaxError", "SyntaxError").await;
    check("malformed", "app", "", "Runtime.MalformedHandlerName", "Bad handler").await;
    check(
        "round",
        "app.go",
        "exports.go = async () => { const a = {}; a.a = a; return a; };",
        "Error",
        "Unable to stringify response body",
    )
    .await;
    check("unhandled", "app.go", "exports.go = () => new Promise(() => { Promise.reject(new Error('stray')); setTimeout(() => {}, 9999); });",
        "Runtime.UnhandledPromiseRejection", "stray").await;
    check(
        "uncaught",
        "app.go",
        "exports.go = () => new Promise(() => { setTimeout(() => { throw new EvalError('late'); }, 1); });",
        "EvalError",
        "late",
    )
    .await;
    rig.stop().await;
}
