// Asks, and shows what changed.

const MATRIX_MS = 500, REST_MS = 2000, TABLE_MAX = 100, OLD_MS = 10000;
const current = {model: null, version: 0, seen: null};
const table = tableOf($('matrix'), $('readout'), address => drawer.open(address));
const plot = plotOf($('matrix'), $('readout'), address => drawer.open(address));
let mood = 'wait', trouble = null;

// Documents that this prober does not have are asked for less often.
const absent = new Map();
const maybe = async path => {
  if (absent.has(path) && Date.now() - absent.get(path) < 30000) return {status: 404, value: null};
  const answer = await ask(path);
  if (answer.status === 404 && !path.startsWith('nodes/')) absent.set(path, Date.now());
  else absent.delete(path);
  return answer.status === 404 || answer.status === 503 || answer.status === 0 ? {...answer, value: null} : answer;
};

const ICON = {good: "%3Ccircle cx='8' cy='8' r='6' fill='%231a8a52'/%3E", bad: "%3Crect x='1' y='1' width='14' height='14' rx='3' fill='%23c4241c'/%3E",
  mixed: "%3Cpath d='M8 1l7 14H1z' fill='%23c98a00'/%3E", blind: "%3Crect x='2' y='2' width='12' height='12' fill='none' stroke='%23c98a00' stroke-width='3'/%3E"};

const setMood = now => {
  const name = trouble ? 'blind' : now;
  mood = now;
  if (document.body.dataset.mood === name) return;
  document.body.dataset.mood = name;
  document.body.classList.toggle('old', Boolean(trouble));
  if (ICON[name]) $('icon').href = `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E${ICON[name]}%3C/svg%3E`;
};

const setTitle = () => {
  const name = current.model?.cluster || 'cassandra-prober';
  const bad = current.model ? ill(current.model).length : 0;
  const title = trouble ? `? ${name}` : bad ? `${bad} not ready · ${name}` : name;
  if (document.title !== title) document.title = title;
};

// What is wrong with an answer, as [kind, what, what to do, command]; null: nothing.
const problem = answer => {
  const age = answer.value?.age_ms ?? answer.age;
  const from = current.seen ? clock(current.seen) : '';
  if (answer.status === 0) return ['fetch', `${location.host} does not answer this page${from ? ` since ${from}` : ''}.`, 'See whether nginx runs there, or open another host’s page: ', 'systemctl status nginx'];
  if (answer.status === 503 && answer.value?.error === 'stale')
    return ['stale', `The collector on ${location.hostname} has been silent since ${clock(new Date(Date.now() - (age || 0)))}.`, 'Look there, or open another host’s page: ', 'systemctl status prober-collector'];
  if (answer.status === 503 && answer.value?.error === 'segment')
    return ['segment', `nginx on ${location.hostname} finds no usable segment: ${answer.value.reason}.`, 'See whether the collector runs and has the same path: ', 'systemctl status prober-collector'];
  if (answer.status === 503) return ['starting', `The collector on ${location.hostname} has just started and has asked nobody yet.`, 'Wait some seconds; else ', 'journalctl -u prober-collector'];
  if (answer.status === 401 || answer.status === 403) return ['denied', `nginx does not let this page read (${answer.status}).`, 'The location needs to let you in.', ''];
  if (answer.status !== 200 || !Array.isArray(answer.value?.nodes)) return ['shape', `/matrix answers ${answer.status}, which this page does not understand.`, 'Another version? Reload the page; else: ', 'proberctl status'];
  if (age > OLD_MS + (Number(answer.value.view_ttl_ms) || 0)) return ['old', `What stands here is as of ${clock(new Date(Date.now() - age))}: nobody has told this prober anything since.`, 'Look there: ', 'systemctl status prober-collector'];
  return null;
};

const showTrouble = now => {
  const before = trouble;
  trouble = now;
  if (now && before?.[0] === now[0]) return;
  $('banner').hidden = !now;
  drawer.showOld();
  put($('banner'), now ? [make('b', now[1]), make('span', now[2]), now[3] ? make('code', now[3]) : null] : []);
  if (now) {
    say($('sentence'), current.seen ? 'No fresh data.' : 'Nothing is known yet.');
    say($('evidence'), current.seen ? `What stands below was so at ${clock(current.seen)}.` : '');
  }
};

const showMatrix = value => {
  const {model, rows} = readMatrix(value, current.model);
  current.model = model;
  current.version++;
  const big = model.n > TABLE_MAX;
  if (rows === null) {
    (big ? table : plot).leave();
    document.body.classList.toggle('few', model.n <= 24);
    $('readout').setAttribute('aria-live', big ? 'polite' : 'off');
    say($('cluster'), model.cluster || 'cassandra-prober');
    put($('nodes'), model.nodes.map(node => make('option', {value: node.address})));
  }
  if (rows === null || rows.length || !big) (big ? plot : table).show(model, rows);
};

const takeMatrix = answer => {
  const wrong = problem(answer), before = trouble;
  showTrouble(wrong);
  if (answer.status === 200 && Array.isArray(answer.value?.nodes)) {
    if (!wrong) current.seen = new Date(Date.now() - (answer.age || 0));
    if (answer.changed || !current.model) showMatrix(answer.value);
    if (answer.changed || (before && !wrong) || Date.now() - takeMatrix.at > 5000) {
      takeMatrix.at = Date.now();
      showWrong(current.model);
    }
    if (!wrong && (answer.changed || before)) mood = showVerdict(current.model);
    say($('age'), answer.age === null ? '' : `data ${(answer.age / 1000).toFixed(1)} s old`);
  } else {
    say($('age'), current.seen ? `last heard at ${clock(current.seen)}` : '');
  }
  setMood(mood);
  setTitle();
};
takeMatrix.at = 0;

const rest = async () => {
  const [plan, jobs, decisions, local, all, regions] = await Promise.all(
    ['plan', 'jobs', 'admin/cluster/observer/decisions', 'localseeds', 'allseeds', 'regions'].map(maybe));
  timed('prober-rest', () => {
    const shown = (answer, show) => { if (answer.status !== 0 && answer.status !== 503 && answer.changed !== false) show(answer.value); };
    shown(plan, showPlan);
    shown(jobs, showJobs);
    shown(decisions, showDecisions);
    shown(regions, showRegions);
    if (local.status === 200 && (local.changed || all.changed)) showSeeds(local.value, all.value);
  });
};

// Again and again, but not while nobody looks.
const every = (ms, work) => {
  let timer = 0, busy = false;
  const run = async () => {
    clearTimeout(timer);
    if (busy || document.hidden) return;
    busy = true;
    const began = performance.now();
    try { await work(); } catch (error) { console.error(error); }
    busy = false;
    timer = setTimeout(run, Math.max(50, ms - (performance.now() - began)));
  };
  document.addEventListener('visibilitychange', () => { if (!document.hidden) run(); });
  run();
};

document.addEventListener('click', event => {
  const button = event.target.closest?.('[data-node]');
  if (button) drawer.open(button.dataset.node);
});
$('find').addEventListener('submit', event => {
  event.preventDefault();
  const name = $('node').value.trim(), found = current.model?.nodes.find(node => node.address === name);
  $('node').setCustomValidity(found ? '' : 'There is no such node.');
  if (found) drawer.open(found.address);
  else $('node').reportValidity();
});
$('node').addEventListener('input', () => $('node').setCustomValidity(''));
$('operate').addEventListener('click', operate);
// Of a location without a slash at its end they would be beside it.
for (const link of document.querySelectorAll('footer a')) link.href = root + link.getAttribute('href');

every(MATRIX_MS, async () => {
  const answer = await ask('matrix');
  timed('prober-update', () => takeMatrix(answer));
});
every(REST_MS, rest);
every(1000, () => drawer.refresh());
