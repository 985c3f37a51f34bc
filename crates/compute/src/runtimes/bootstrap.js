'use strict';
// Runs a handler: takes events from the Runtime API, leaves responses there. Handlers may be of CommonJS or
// modules, return promises or call back.

const http = require('http');
const path = require('path');
const { existsSync } = require('fs');
const { format } = require('util');
const { pathToFileURL } = require('url');

const API = '/2018-06-01/runtime/';
const [HOST, PORT] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const EXTENSIONS = ['', '.js', '.mjs', '.cjs'];

// What the platform keeps open between calls does not keep the function's event loop from being empty.
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
let requestId = '';

// Handlers that write their response to a stream say so by this mark.
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
// The response that is being streamed.
let streamed;

globalThis.awslambda = {
  streamifyResponse(handler, options) {
    handler[STREAMING] = 'response';
    if (typeof options?.highWaterMark === 'number') handler[WATER_MARK] = options.highWaterMark;
    return handler;
  },
  // Most functions do without.
  get HttpResponseStream() {
    return require('./streaming.js').HttpResponseStream;
  },
};

function exchange(method, where, body, headers = {}, using = agent) {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    const options = { method, host: HOST, port: PORT, path: API + where, agent: using, headers: { ...length, ...headers } };
    const request = http.request(options, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

// A fault of the function's packaging, which has a name of its own.
class Fault extends Error {
  constructor(kind, message, trace) {
    super(message);
    this.name = kind;
    if (trace) this.stack = trace;
  }
}

function describe(error) {
  if (error instanceof Error || (error && typeof error === 'object' && 'stack' in error && 'message' in error)) {
    return {
      errorType: String(error.name || 'Error'),
      errorMessage: String(error.message),
      trace: String(error.stack || '').split('\n'),
    };
  }
  return { errorType: typeof error, errorMessage: format(error), trace: [] };
}

function logged(error) {
  const { trace, ...known } = describe(error);
  const own = error instanceof Fault || typeof error !== 'object' ? {} : { ...error };
  try {
    return `\t${JSON.stringify({ ...known, ...own, stack: trace })}`;
  } catch {
    return `\t${JSON.stringify({ ...known, stack: trace })}`;
  }
}

function tell(where, error, using) {
  const report = describe(error);
  const headers = { 'Lambda-Runtime-Function-Error-Type': report.errorType.replace(/[^\x20-\x7e]/g, '?') };
  return exchange('POST', where, JSON.stringify(report), headers, using);
}

const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const JSON_LINES = process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON';

function textLine(level, id, values) {
  return `${new Date().toISOString()}\t${id}\t${level}\t${format(...values).replace(/\n/g, '\r')}`;
}

// Lines of the console bear the time, the invocation and a level, as on AWS; those below the function's level are none.
function nameLines() {
  const least = LEVELS.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase());
  const line = JSON_LINES ? require('./json_lines.js').record : textLine;
  const none = JSON_LINES ? undefined : 'undefined';
  const writer = (level) => {
    if (LEVELS.indexOf(level) < least) return () => {};
    return (...values) => {
      process.stdout.write(`${line(level, requestId || none, values)}\n`);
    };
  };
  for (const level of LEVELS) console[level.toLowerCase()] = writer(level);
  console.log = console.info;
}

// An error that nobody handled. The text has more of it than the answer, and calls its trace otherwise.
function logError(what, error) {
  if (!JSON_LINES) return console.error(what, logged(error));
  if (error instanceof Fault) {
    const { trace: stackTrace, ...known } = describe(error);
    return console.error({ ...known, stackTrace });
  }
  return console.error(error instanceof Error ? error : new Error(format(error)));
}

function resolve(root, name) {
  const file = path.resolve(root, name);
  return EXTENSIONS.map((extension) => file + extension).find((candidate) => existsSync(candidate) && path.extname(candidate) !== '');
}

async function loadModule(root, name) {
  const file = resolve(root, name);
  if (file === undefined) {
    try {
      // From a layer.
      return require(require.resolve(name, { paths: [root, ...(process.env.NODE_PATH || '').split(':')] }));
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') throw error;
      // AWS names its own entry as who asked; tools look for this text.
      throw new Fault('Runtime.ImportModuleError', `Error: Cannot find module '${name}'\nRequire stack:\n- /var/runtime/index.mjs`);
    }
  }
  if (file.endsWith('.mjs')) return import(pathToFileURL(file).href);
  try {
    return require(file);
  } catch (error) {
    if (error.code !== 'ERR_REQUIRE_ESM' && error.code !== 'ERR_REQUIRE_ASYNC_MODULE' && !isModuleSyntax(file, error)) throw error;
    return import(pathToFileURL(file).href);
  }
}

// A package that says that it is of modules is one, whatever an older Node makes of it.
function isModuleSyntax(file, error) {
  if (!(error instanceof SyntaxError)) return false;
  for (let directory = path.dirname(file); ; directory = path.dirname(directory)) {
    const manifest = path.join(directory, 'package.json');
    if (existsSync(manifest)) return require(manifest).type === 'module';
    if (directory === path.dirname(directory)) return false;
  }
}

async function load(root, handler) {
  const slash = handler.lastIndexOf('/') + 1;
  const dot = handler.indexOf('.', slash);
  if (dot <= slash) throw new Fault('Runtime.MalformedHandlerName', 'Bad handler');
  const [name, member] = [handler.slice(0, dot), handler.slice(dot + 1)];
  let loaded;
  try {
    loaded = await loadModule(root, name);
  } catch (error) {
    if (error instanceof SyntaxError) throw new Fault('Runtime.UserCodeSyntaxError', String(error), error.stack);
    if (/Cannot find (module|package) '(@aws-sdk|@smithy)\//.test(error.message) && !existsSync('/var/runtime/node_modules/@aws-sdk')) {
      error.message += ' (the AWS SDK could not be fetched when the function was created, or --sdk none was chosen; see the log of apus, or bring it)';
    }
    // Of what modules cannot import (ERR_MODULE_NOT_FOUND), AWS makes a plain error.
    if (error.code === 'MODULE_NOT_FOUND') {
      throw new Fault('Runtime.ImportModuleError', String(error), error.stack);
    }
    throw error;
  }
  const find = (from) => member.split('.').reduce((found, part) => (found === undefined || found === null ? undefined : found[part]), from);
  const found = find(loaded) ?? find(loaded.default);
  if (found === undefined) throw new Fault('Runtime.HandlerNotFound', `${handler} is undefined or not exported`);
  if (typeof found !== 'function') throw new Fault('Runtime.HandlerNotFound', `${handler} is not a function`);
  return found;
}

function contextOf(headers, settle) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const read = (name) => (headers[name] ? JSON.parse(headers[name]) : undefined);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    clientContext: read('lambda-runtime-client-context'),
    identity: read('lambda-runtime-cognito-identity'),
    tenantId: headers['lambda-runtime-aws-tenant-id'],
    getRemainingTimeInMillis: () => Math.max(deadline - Date.now(), 0),
    done: (error, result) => settle(error, result),
    fail: (error) => settle(error ?? 'handled'),
    succeed: (result) => settle(null, result),
  };
}

// Calls the handler and waits for its promise, its callback, or an empty event loop, which answers null.
function run(handler, event, headers) {
  return new Promise((resolve, reject) => {
    let answer;
    const finish = () => {
      process.removeListener('beforeExit', finish);
      if (answer === undefined) resolve(null);
      else if (answer.error !== undefined && answer.error !== null) reject(answer.error);
      else resolve(answer.result);
    };
    const settle = (error, result) => {
      answer = answer ?? { error, result };
      if (!context.callbackWaitsForEmptyEventLoop || (error !== undefined && error !== null)) finish();
    };
    const context = contextOf(headers, settle);
    process.on('beforeExit', finish);
    const fail = (error) => {
      process.removeListener('beforeExit', finish);
      reject(error);
    };
    try {
      const returned = handler(event, context, settle);
      if (returned && typeof returned.then === 'function') {
        returned.then((result) => {
          process.removeListener('beforeExit', finish);
          resolve(result);
        }, fail);
      }
    } catch (error) {
      fail(error);
    }
  });
}

function encode(result) {
  try {
    return JSON.stringify(result === undefined ? null : result) ?? 'null';
  } catch {
    // AWS's runtimes gave it a name with Node.js 24.
    const named = Number((process.env.AWS_EXECUTION_ENV || '').replace(/\D+(\d+).*/, '$1')) >= 24;
    throw new Fault(named ? 'Runtime.JSONStringifyError' : 'Error', 'Unable to stringify response body');
  }
}

// Calls a handler that writes its response, and waits until all of it is sent.
async function runStreaming(handler, event, headers, where) {
  const { ResponseStream } = require('./streaming.js');
  const stream = new ResponseStream({ host: HOST, port: PORT, path: `${API}${where}response`, agent }, handler[WATER_MARK]);
  streamed = stream;
  // An error of the stream's is the handler's to see, and does not end the process.
  stream.on('error', () => {});
  try {
    const returned = handler(event, stream, contextOf(headers, () => {}));
    if (!returned || typeof returned.then !== 'function') throw new Error('Streaming does not support non-async handlers.');
    if ((await returned) !== undefined) console.warn('Streaming handlers ignore return values.');
  } catch (error) {
    if (JSON_LINES) logError('Invoke Error', error);
    else console.error('Invoke Error', JSON.stringify(describe(error)));
    stream.fail(describe(error));
  }
  await stream.answered;
  streamed = undefined;
}

async function handleOne(handler) {
  const { status, headers, body } = await exchange('GET', 'invocation/next');
  if (status !== 200) throw new Error(`the platform gives no invocation: status ${status}`);
  requestId = headers['lambda-runtime-aws-request-id'];
  if (headers['lambda-runtime-trace-id']) process.env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'];
  const where = `invocation/${requestId}/`;
  if (handler[STREAMING] === 'response') return runStreaming(handler, JSON.parse(body.toString()), headers, where);
  let response;
  try {
    response = encode(await run(handler, JSON.parse(body.toString()), headers));
  } catch (error) {
    logError('Invoke Error', error);
    await tell(`${where}error`, error);
    return;
  }
  await exchange('POST', `${where}response`, response);
}

// What nobody caught ends the environment, and is the answer to the invocation that was under way.
function end(kind, status) {
  return async (error) => {
    const fault = kind === undefined ? error : new Fault(kind, String(error), error && error.stack);
    logError(kind === undefined ? 'Uncaught Exception' : 'Unhandled Promise Rejection', fault);
    if (streamed !== undefined) {
      streamed.fail(describe(fault));
      await streamed.answered.catch(() => {});
      process.exit(status);
    }
    // The connection of the runtime may be waiting for its next invocation.
    await tell(requestId === '' ? 'init/error' : `invocation/${requestId}/error`, fault, false).catch(() => {});
    process.exit(status);
  };
}

async function main() {
  nameLines();
  process.on('uncaughtException', end(undefined, 129));
  process.on('unhandledRejection', end('Runtime.UnhandledPromiseRejection', 128));
  let handler;
  try {
    handler = await load(process.env.LAMBDA_TASK_ROOT || '/var/task', process.env._HANDLER);
  } catch (error) {
    logError('Uncaught Exception', error);
    await tell('init/error', error);
    process.exit(1);
  }
  for (;;) await handleOne(handler);
}

main();
