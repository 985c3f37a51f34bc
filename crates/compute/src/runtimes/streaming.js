'use strict';
// A response that is sent while the handler makes it: a stream whose bytes go to the Runtime API as they are written,
// and an error midway as trailers behind them.

const http = require('http');
const { Writable } = require('stream');

const ERROR_TYPE = 'Lambda-Runtime-Function-Error-Type';
const ERROR_BODY = 'Lambda-Runtime-Function-Error-Body';

class ResponseStream extends Writable {
  constructor(options, highWaterMark) {
    super({ decodeStrings: true, ...(highWaterMark ? { highWaterMark } : {}) });
    this.begun = false;
    this.contentType = 'application/octet-stream';
    this.options = options;
    // What the platform answers to the whole.
    this.answered = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Whoever waits hears of it; nobody has to.
    this.answered.catch(() => {});
  }

  setContentType(contentType) {
    if (this.begun) throw new Error('Cannot set content-type, too late.');
    this.contentType = contentType;
  }

  write(chunk, encoding, callback) {
    const plain = typeof chunk === 'string' || chunk instanceof Uint8Array;
    return super.write(plain ? chunk : JSON.stringify(chunk), encoding, callback);
  }

  end(chunk, encoding, callback) {
    const plain = chunk === undefined || chunk === null || typeof chunk === 'string' || typeof chunk === 'function' || chunk instanceof Uint8Array;
    return super.end(plain ? chunk : JSON.stringify(chunk), encoding, callback);
  }

  begin() {
    if (this.begun) return;
    this.begun = true;
    const headers = {
      'Content-Type': this.contentType,
      'Lambda-Runtime-Function-Response-Mode': 'streaming',
      'Transfer-Encoding': 'chunked',
      Trailer: `${ERROR_TYPE}, ${ERROR_BODY}`,
    };
    this.request = http.request({ ...this.options, method: 'POST', headers }, (response) => {
      response.resume();
      response.on('end', this.resolve);
      response.on('error', this.reject);
    });
    this.request.on('error', (error) => {
      this.reject(error);
      this.destroy(error);
    });
    if (this._onBeforeFirstWrite) this._onBeforeFirstWrite((bytes) => this.request.write(bytes));
  }

  _write(chunk, encoding, callback) {
    this.begin();
    this.request.write(chunk, callback);
  }

  _writev(chunks, callback) {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'buffer', callback);
  }

  _final(callback) {
    this.begin();
    if (this.failure !== undefined) {
      this.request.addTrailers({
        [ERROR_TYPE]: this.failure.errorType.replace(/[^\x20-\x7e]/g, '?'),
        [ERROR_BODY]: Buffer.from(JSON.stringify(this.failure)).toString('base64'),
      });
    }
    this.request.end(callback);
  }

  // Ends it with an error, behind what was written.
  fail(failure) {
    if (this.writableEnded) return;
    this.failure = failure;
    if (!this.destroyed) this.end();
    // Destroyed, by a pipeline for example: its own end would never come.
    else this._final(() => {});
  }
}

// Status and headers of an HTTP response, before its body.
class HttpResponseStream {
  static from(stream, prelude) {
    stream.setContentType('application/vnd.awslambda.http-integration-response');
    const text = JSON.stringify(prelude);
    stream._onBeforeFirstWrite = (write) => {
      write(text);
      write(new Uint8Array(8));
    };
    return stream;
  }
}

module.exports = { ResponseStream, HttpResponseStream };
