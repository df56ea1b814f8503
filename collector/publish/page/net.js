// Documents, asked for again by their tags: most answers are 304 and have no body.

const root = location.origin + location.pathname.replace(/\/*$/, '/');
const kept = new Map();

// {status, value, age, changed, error}; status 0: no answer. A 404 is a document that this prober does not have.
const ask = async path => {
  const before = kept.get(path);
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), 8000);
  try {
    const answer = await fetch(root + path, {
      cache: 'no-store', signal: stop.signal, headers: before ? {'If-None-Match': before.etag} : {},
    });
    const age = answer.headers.has('X-Prober-Age-Ms') ? Number(answer.headers.get('X-Prober-Age-Ms')) : null;
    if (answer.status === 304 && before) return {...before, age, changed: false};
    const text = await answer.text();
    let value = null;
    try { value = timed('prober-parse', () => JSON.parse(text)); } catch { value = null; }
    const got = {status: answer.status, value, text, age, changed: true};
    const etag = answer.headers.get('ETag');
    if (etag) kept.set(path, {status: answer.status, value, text, etag});
    else kept.delete(path);
    return got;
  } catch (error) {
    return {status: 0, value: null, age: null, changed: true, error: stop.signal.aborted ? 'no answer within 8 s' : 'it cannot be reached'};
  } finally {
    clearTimeout(timer);
  }
};

const send = async (method, path) => {
  try {
    const answer = await fetch(root + path, {method, cache: 'no-store'});
    return {status: answer.status, text: (await answer.text()).trim()};
  } catch {
    return {status: 0, text: 'no answer'};
  }
};

// How long what this page does takes, for whoever measures.
const timed = (name, work) => {
  const began = performance.now();
  const value = work();
  performance.measure(name, {start: began});
  if (performance.getEntriesByName(name).length > 500) performance.clearMeasures(name);
  return value;
};
