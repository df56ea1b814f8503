// The verdict, what is wrong, and the rooms below the matrix.

const WRONG_SHOWN = 12, DECISIONS_SHOWN = 10;

const ill = model => model.nodes.filter(node => node.verdict !== 'ready');

// A whole rack or data center that is not ready says more than its nodes do.
const whole = (model, bad) => {
  const all = part => {
    const total = new Map(), wrong = new Map();
    for (const node of model.nodes) total.set(part(node), (total.get(part(node)) || 0) + 1);
    for (const node of bad) wrong.set(part(node), (wrong.get(part(node)) || 0) + 1);
    return [...wrong].filter(([name, n]) => n > 1 && n === total.get(name)).map(([name]) => name);
  };
  const dcs = all(node => node.dc || 'DC unknown');
  if (dcs.length) return `all of ${dcs.join(', ')}`;
  const racks = all(place);
  return racks.length ? `all of rack ${racks.join(', ')}` : '';
};

const tally = model => {
  let down = 0, none = 0, missing = 0;
  for (let i = 0; i < model.n; i++) {
    if (typeof model.nodes[i].view !== 'string') { missing++; continue; }
    for (const part of model.nodes[i].view.matchAll(/(\d*)([D?])/g))
      if (part[2] === 'D') down += Number(part[1] || 1);
      else none += Number(part[1] || 1);
  }
  return {down, none, missing};
};

const sentence = (model, bad) => {
  if (!model.n) return 'No node is known yet.';
  if (!bad.length) return model.n === 1 ? 'The one node is ready.' : `All ${model.n.toLocaleString('en')} nodes are ready.`;
  const who = bad.length === 1 ? `: ${bad[0].address}` : '';
  const rack = bad.length > 1 && bad.length < model.n ? whole(model, bad) : '';
  if (bad.length === model.n) return model.n === 1 ? `The one node is not ready: ${bad[0].address}` : `None of the ${model.n.toLocaleString('en')} nodes is ready.`;
  return `${bad.length.toLocaleString('en')} of ${model.n.toLocaleString('en')} nodes ${bad.length === 1 ? 'is' : 'are'} not ready${who}${rack ? ` (${rack})` : ''}`;
};

const showVerdict = model => {
  const bad = ill(model), {down, none, missing} = tally(model);
  const repair = model.nodes.filter(node => node.repair_needed).length;
  const parts = [bad.length && `${model.n - bad.length} ready`, down && count(down, 'opinion') + ' DOWN',
    none && count(none, 'opinion') + ' missing', missing && `no fresh view of ${count(missing, 'node')}`,
    repair && `${count(repair, 'node')} to be repaired`].filter(Boolean);
  const quiet = !down && !none && !missing && !repair;
  say($('sentence'), sentence(model, bad));
  say($('evidence'), parts.length ? parts.join(' · ') : model.n > 1 ? 'Every node sees every other one UP.' : '');
  return bad.length || !model.n ? 'bad' : quiet ? 'good' : 'mixed';
};

const wrongOne = node => {
  const reasons = list(node.reasons);
  return make('li', make('div', nodeButton(node.address)), make('div.why', reasons.join(', ') || node.verdict),
    make('div.place', place(node), ' ', since(node.since), node.missing ? `, its view: ${node.missing}` : ''),
    reasons.length ? todo(node.address, reasons) : make('p.todo', 'wait for the next round'));
};

const repairOne = node => make('li', make('div', nodeButton(node.address)), make('div.why', 'repair needed'),
  make('div.place', place(node)), make('p.todo', 'it was down for longer than hints are kept; on that host: ', make('code', 'nodetool repair -full'), ', then ',
    make('code', `proberctl repaired ${node.address}`)));

const showWrong = model => {
  const bad = ill(model).sort((a, b) => (b.since || '').localeCompare(a.since || ''));
  const repair = model.nodes.filter(node => node.repair_needed && node.verdict === 'ready');
  const rest = bad.length + repair.length - WRONG_SHOWN;
  const items = [...bad.map(node => () => wrongOne(node)), ...repair.map(node => () => repairOne(node))];
  $('wrong').hidden = !items.length;
  // A button that has the focus stays.
  const focused = document.activeElement && $('wrong').contains(document.activeElement) ? document.activeElement.dataset.node : null;
  put($('wrong-list'), items.slice(0, WRONG_SHOWN).map(item => item()), rest > 0 && make('li', make('div.place', `and ${rest.toLocaleString('en')} more; the matrix has them all`)));
  if (focused) [...$('wrong').querySelectorAll('[data-node]')].find(button => button.dataset.node === focused)?.focus();
};

// A room is there while it has something to say.
const rooms = new Map();
const ROOMS = [['plan', 'What may be done next'], ['jobs', 'Jobs'], ['decisions', 'Decisions'], ['seeds', 'Seeds'], ['regions', 'Regions']];

const room = (key, children) => {
  if (!rooms.size)
    for (const [name, title] of ROOMS) {
      const section = make('section', {id: `room-${name}`, 'aria-labelledby': `room-${name}-title`, hidden: true},
        make('h2', {id: `room-${name}-title`}, title), make('div'));
      rooms.set(name, section);
      $('rooms').append(section);
    }
  const section = rooms.get(key);
  section.hidden = !children;
  if (children) put(section.lastChild, children);
};

const step = item => make('li', make('b', item.do === 'start' ? 'Start ' : 'Add a node '),
  item.node ? nodeButton(item.node) : '', ` in ${place(item)}`);

const showPlan = plan => {
  if (!plan || !list(plan.dcs).length) return room('plan', null);
  const racks = plan.dcs.flatMap(dc => list(dc.racks).map(rack => ({dc: dc.name, ...rack})));
  const why = racks.filter(rack => rack.add && rack.add !== 'yes');
  const steps = list(plan.next);
  return room('plan', [
    steps.length ? make('ul', steps.slice(0, 12).map(step)) : make('p.soft', 'Nothing is to be added or started.'),
    make('table.plain', make('thead', make('tr', ['Rack', 'Nodes', 'Ready', 'Seeds'].map(name => make('th', {scope: 'col'}, name)))),
      make('tbody', racks.slice(0, 40).map(rack => make('tr', make('th', {scope: 'row'}, place({dc: rack.dc, rack: rack.name})),
        make('td', rack.wanted ? `${rack.present} of ${rack.wanted}` : String(rack.present)), make('td', String(rack.ready)),
        make('td', `${rack.seeds} of ${rack.seeds_wanted}`))))),
    steps.length && why.length ? make('p.soft', `${place({dc: why[0].dc, rack: why[0].name})}: ${why[0].add}`) : null,
  ]);
};

const jobLine = (name, job) => {
  const nodes = list(job.nodes), done = nodes.filter(node => node.state === 'done').length;
  const now = nodes.filter(node => !['waiting', 'done', 'skipped'].includes(node.state));
  return make('li', make('b', `${job.type || name} `), `${job.state}${nodes.length ? `, ${done} of ${nodes.length} nodes` : ''}`,
    job.by ? ` · by ${job.by}` : '', ' ', make('span.soft', when(job.ended || job.started)), job.why ? make('div', job.why) : null,
    now.length ? make('div.soft', now.slice(0, 6).map(node => `${node.node} ${node.state}${node.why ? `: ${node.why}` : ''}`).join(' · ')) : null);
};

const showJobs = jobs => {
  current.jobs = jobs;
  if (!jobs || typeof jobs !== 'object') return room('jobs', null);
  const last = Object.entries(jobs.last || {}).filter(([, job]) => job && job.id !== jobs.active?.id);
  return room('jobs', [
    jobs.suspended ? make('p', make('span.word.c0', '‖ suspended'), ' Nothing is decided or started until somebody resumes.') : null,
    jobs.store && jobs.store !== 'ok' ? make('p', make('span.word.c0', '! store'), ` ${jobs.store}`) : null,
    jobs.active ? make('ul', jobLine('', jobs.active)) : make('p.soft', 'No job runs.'),
    last.length ? make('ul', last.map(([type, job]) => jobLine(type, job))) : null,
    operator && 'suspended' in jobs ? suspendActs(jobs.suspended) : null,
  ]);
};

const decision = one => make('li', make('time', {datetime: one.last || one.at, title: one.at}, when(one.last || one.at)),
  make('div', one.node ? [nodeButton(one.node), ' '] : '', make('b', one.what || one.kind || ''), one.why ? `: ${one.why}` : '',
    make('span.soft', `${one.times > 1 ? ` ×${one.times}` : ''}${one.by && one.by !== 'automatic' ? ` · by ${one.by}` : ''}`)));

const showDecisions = value => {
  const all = list(value?.decisions);
  room('decisions', all.length ? make('ol.decisions', all.slice(0, DECISIONS_SHOWN).map(decision)) : null);
};

const chips = addresses => make('ul.chips', addresses.slice(0, 30).map(address => make('li', nodeButton(address))),
  addresses.length > 30 ? make('li.soft', `and ${addresses.length - 30} more`) : null);

const showSeeds = (local, all) => {
  const mine = list(local), every = list(all);
  const alike = JSON.stringify(mine) === JSON.stringify(every);
  room('seeds', mine.length || every.length ? [
    !alike && mine.length ? [make('h3', 'Of this region'), chips(mine), make('h3', 'Of all regions')] : null, chips(every.length ? every : mine)] : null);
};

const REGION = {ready: ['c1', '✓'], 'not ready': ['c2', '✕'], unreachable: ['c0', '?']};
const showRegions = value => {
  const all = list(value?.regions);
  room('regions', all.length ? [
    make('ul', all.map(one => make('li', make('b', `${one.name} `), make(`span.word.${(REGION[one.state] || ['c3'])[0]}`, `${(REGION[one.state] || ['', '–'])[1]} ${one.state}`),
      one.own ? ' this one' : '', one.poll?.detail ? make('div.soft', one.poll.detail) : null))),
    value.waits ? make('p', `This region waits: ${value.waits}`) : null, value.next ? make('p.soft', `Next to begin: ${value.next}`) : null] : null);
};
