// All that is known of one node.

const drawer = (() => {
  let address = null, body = null, acts = null, opener = null, shown = 0, key = '';

  const named = (model, cells, code) => {
    const all = [];
    cells.forEach((cell, i) => { if (cell === code) all.push(model.nodes[i].address); });
    return all.length > 8 ? `${all.slice(0, 8).join(', ')} and ${all.length - 8} more` : all.join(', ');
  };

  const opinions = model => {
    const i = model.nodes.findIndex(node => node.address === address);
    if (i < 0) return null;
    const of = model.nodes.map((_, o) => model.cells[o * model.n + i]), own = [...model.cells.subarray(i * model.n, (i + 1) * model.n)];
    const up = of.filter(cell => cell === 1).length, missing = model.nodes[i].missing;
    const line = (name, text) => text ? [make('dt', name), make('dd', text)] : [];
    return make('dl', line('Sees it UP', `${up} of ${model.n}`), line('Sees it DOWN', named(model, of, 2)),
      line('No opinion', named(model, of, 0)), line('It sees DOWN', own[0] === MISSING ? '' : named(model, own, 2)),
      line('Its own view', own[0] === MISSING ? `none: ${missing}` : ''));
  };

  const svg = (tag, attributes) => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };

  // Ready stands above the line, not ready hangs below it.
  const sparkline = entries => {
    const began = Math.min(...entries.map(e => Date.parse(e.from))), ended = Math.max(...entries.map(e => Date.parse(e.to)), began + 1);
    const picture = svg('svg', {viewBox: '0 0 400 44', preserveAspectRatio: 'none', class: 'spark', role: 'img',
      'aria-label': `History from ${when(new Date(began).toISOString())} to ${when(new Date(ended).toISOString())}: ${count(entries.filter(e => e.verdict !== 'ready').length, 'stretch', 'stretches')} not ready`});
    entries.forEach((e, i) => {
      // Each stretch lasts until the next one, which stands before it.
      const x = (Date.parse(e.from) - began) / (ended - began) * 400, until = i > 0 ? Date.parse(entries[i - 1].from) : ended;
      const width = Math.max(2, (until - Date.parse(e.from)) / (ended - began) * 400);
      const share = e.counted > 0 ? e.up / e.counted : 1, ready = e.verdict === 'ready';
      const height = ready ? 4 + 16 * share : 20;
      picture.append(svg('rect', {x, width, y: ready ? 22 - height : 22, height, class: ready ? 'ok' : e.verdict === 'not ready' ? 'no' : 'un'}));
    });
    picture.append(svg('line', {x1: 0, x2: 400, y1: 22, y2: 22}));
    return picture;
  };

  const history = value => {
    const entries = list(value?.history).filter(e => Date.parse(e.from) && Date.parse(e.to));
    if (!entries.length) return null;
    return [make('h3', 'History'), sparkline(entries), make('ol', entries.slice(0, 5).map(e => make('li',
      make('time', {datetime: e.from, title: e.from}, `${when(e.from)} – ${when(e.to)} `), make('b', e.verdict),
      list(e.reasons).length ? `: ${e.reasons.join(', ')}` : '')))];
  };

  const gate = (name, answer) => {
    const may = answer?.value?.may;
    if (!may) return null;
    const kind = {yes: ['c1', '✓ yes'], no: ['c2', '✕ no']}[may] || ['c0', '? unknown'];
    return [make('dt', name), make('dd', make(`span.word.${kind[0]}`, kind[1]), ' ', list(answer.value.reasons).join('; '))];
  };

  const yes = value => value === true ? 'yes' : value === false ? 'no' : null;

  const facts = node => {
    const drain = node.drain && `${node.drain.user ? `by ${node.drain.user}, ` : ''}${when(node.drain.at)}${node.drain.until ? `, until ${when(node.drain.until)}` : ''}`;
    const poll = node.poll && [node.poll.result, node.poll.http_status, node.poll.detail].filter(Boolean).join(', ');
    return [['Repair needed', node.repair_needed ? 'yes: it was down for longer than hints are kept' : null],
      ['Down since', node.down_since && `${when(node.down_since)} (${span(Date.now() - Date.parse(node.down_since))})`],
      ['Drained', drain], ['Run state', node.run_state], ['Status', node.status], ['Mode', node.mode], ['Native transport', yes(node.native_transport)],
      ['Gossip', yes(node.gossip)], ['Phi', node.phi === null || node.phi === undefined ? null : String(node.phi)], ['Its opinion', node.observer],
      ['Last poll', poll], ['Seed', yes(node.seed)], ['Release', node.release], ['Host id', node.host_id]]
      .filter(([, value]) => value !== null && value !== undefined && value !== '')
      .map(([name, value]) => [make('dt', name), make('dd', String(value))]);
  };

  const draw = (model, node, past, start, stop) => {
    if (!node) return put(body, make('p', 'This prober knows no such node any more.'));
    const reasons = list(node.reasons), ready = node.verdict === 'ready';
    return put(body, make('p.soft', place(node), node.local ? ' · this host' : ''),
      make('p.big', make(`span.word.${ready ? 'c1' : node.verdict === 'not ready' ? 'c2' : 'c0'}`, ready ? '✓ ready' : `✕ ${node.verdict}`), ' ', since(node.since)),
      reasons.length ? [make('ul.why', reasons.map(reason => make('li', reason))), todo(address, reasons)] : null,
      make('h3', 'Who sees it'), opinions(model), history(past),
      start?.value?.may || stop?.value?.may ? [make('h3', 'Gates'), make('dl', gate('May start', start), gate('May stop', stop))] : null,
      make('h3', 'Facts'), make('dl', facts(node)));
  };

  const close = () => {
    address = null;
    if (opener && opener.isConnected) opener.focus();
  };

  const open = name => {
    const dialog = $('drawer');
    if (!dialog.open) opener = document.activeElement;
    address = name;
    key = '';
    body = make('div');
    acts = make('div');
    put(dialog, make('p', {id: 'drawer-old', role: 'alert', hidden: true}), make('div.top', make('h2', {id: 'drawer-title', tabindex: -1}, name), make('button', {type: 'button', onclick: () => dialog.close()}, 'Close')), body, acts);
    if (!dialog.open) dialog.showModal();
    $('drawer-title').focus();
    showOld();
    showActs();
    refresh();
  };

  // While it is open a screen reader hears nothing of what is behind it.
  const showOld = () => {
    const note = $('drawer-old');
    if (!note) return;
    note.hidden = !trouble;
    say(note, trouble ? `No fresh data. ${trouble[1]}` : '');
  };

  const showActs = () => { if (acts) put(acts, address && operator ? nodeActs(address, () => refresh()) : null); };

  // Its documents; those that this prober does not have are not shown.
  const refresh = async () => {
    const mine = address;
    if (!mine || !current.model) return;
    const [node, past, start, stop] = await Promise.all(['nodes/', 'history/', 'may-start/', 'may-stop/'].map(path => maybe(path + mine)));
    if (mine !== address || node.status === 0 || node.status === 503) return;
    const now = [node, past, start, stop].map(answer => answer.text || answer.status).join() + current.version;
    if (now === key && Date.now() - shown < 5000) return;
    key = now;
    shown = Date.now();
    timed('prober-drawer', () => draw(current.model, node.status === 200 ? node.value : null, past.value, start, stop));
  };

  const dialog = $('drawer');
  dialog.addEventListener('close', close);
  dialog.addEventListener('click', event => { if (event.target === dialog) dialog.close(); });
  return {open, refresh, showActs, showOld, get address() { return address; }};
})();
