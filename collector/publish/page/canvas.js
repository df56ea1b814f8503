// Beyond 100 nodes: pixels. A frame paints for some milliseconds at most; what is left waits for the next.

const FRAME_MS = 6;
const BAND = 32;

const plotOf = (box, readout, open) => {
  let model = null, plot = null, context = null, image = null, pixels = null;
  let cell = 1, ratio = 1, at = null, offset = [], size = 0, colors = [], dirty = null, waiting = false, places = [];
  let hairs = [], left = 0, top = 0;

  const color = name => {
    const probe = make('canvas', {width: 1, height: 1}).getContext('2d');
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    probe.fillRect(0, 0, 1, 1);
    return new Uint32Array(probe.getImageData(0, 0, 1, 1).data.buffer)[0];
  };

  // Cells of a whole number of device pixels, so that lines stay sharp.
  const measure = () => {
    ratio = window.devicePixelRatio || 1;
    left = Math.round(88 * ratio);
    top = Math.round(34 * ratio);
    const room = Math.max(300, box.clientWidth - 16) * ratio - left;
    const gap = g => g === 0 ? 0 : model.groups[g].dc === model.groups[g - 1].dc ? Math.round(ratio) : Math.round(4 * ratio);
    const gaps = model.groups.reduce((sum, _, g) => sum + gap(g), 0);
    cell = Math.max(1, Math.min(Math.round(8 * ratio), Math.floor((room - gaps) / model.n)));
    offset = [];
    let x = 0;
    model.groups.forEach((group, g) => {
      x += gap(g);
      for (let i = 0; i < group.size; i++, x += cell) offset.push(x);
    });
    size = x;
  };

  const label = (text, x, y, width, height) => {
    const name = make('span.label', {title: text}, text);
    Object.assign(name.style, {left: `${x / ratio}px`, top: `${y / ratio}px`, width: `${width / ratio}px`, maxHeight: `${height / ratio}px`});
    return name;
  };

  const labels = () => {
    const all = [];
    let last = null;
    model.groups.forEach((group, g) => {
      const x = offset[group.at], width = group.size * cell;
      if (g === 0 || group.dc !== model.groups[g - 1].dc) {
        last = group;
        const size = model.groups.filter(other => other.dc === group.dc).reduce((sum, other) => sum + other.size, 0);
        all.push(label(group.dc || 'DC unknown', left + x, 0, size * cell, 14 * ratio));
      }
      if (width > 24 * ratio) all.push(label(group.rack || '?', left + x, 16 * ratio, width, 14 * ratio));
      if (width > 13 * ratio) all.push(label(group === last ? place(group) : group.rack || '?', 0, top + x, left - 6 * ratio, 14 * ratio));
    });
    return all;
  };

  const build = () => {
    at = null;
    measure();
    const width = left + size, height = top + size;
    const canvas = make('canvas', {width: size, height: size, 'aria-hidden': 'true'});
    Object.assign(canvas.style, {width: `${size / ratio}px`, height: `${size / ratio}px`, marginLeft: `${left / ratio}px`, marginTop: `${top / ratio}px`});
    hairs = [make('div.hair'), make('div.hair')];
    hairs.forEach(hair => { hair.hidden = true; });
    plot = make('div.plot', {tabindex: 0, role: 'application', 'aria-describedby': 'readout',
      'aria-label': `Matrix of ${model.n} nodes. Arrow keys move between cells, Page Up and Page Down by racks, Enter opens the node of the column.`},
      canvas, labels(), hairs);
    Object.assign(plot.style, {width: `${width / ratio}px`, height: `${height / ratio}px`});
    put(box, plot);
    context = canvas.getContext('2d', {alpha: false});
    image = new ImageData(size, size);
    pixels = new Uint32Array(image.data.buffer);
    places = [];
    model.order.forEach((i, r) => { places[i] = r; });
    dirty = new Uint8Array(model.n).fill(1);
    paintColors();
  };

  const paintColors = () => {
    colors = ['--warn', '--ok-soft', '--bad', '--none-soft', '--card'].map(color);
    pixels.fill(colors[4]);
    dirty.fill(1);
  };

  const base = r => {
    const row = model.order[r] * model.n, y = offset[r] * size;
    for (let c = 0; c < model.n; c++) {
      const paint = colors[model.cells[row + model.order[c]]];
      for (let x = y + offset[c], end = x + cell; x < end; x++) pixels[x] = paint;
    }
    for (let line = 1; line < cell; line++) pixels.copyWithin(y + line * size, y, y + size);
    // The gap above may have marks of before.
    for (let above = offset[r] - 1; above >= 0 && (r === 0 || above >= offset[r - 1] + cell); above--)
      pixels.fill(colors[4], above * size, (above + 1) * size);
    for (let c = 1; c < model.n; c++)
      for (let x = offset[c - 1] + cell; x < offset[c]; x++)
        for (let line = 0; line < cell; line++) pixels[y + line * size + x] = colors[4];
  };

  // One bad cell among a million has to be seen: it is three pixels wide at least.
  const marks = r => {
    if (cell >= 3) return;
    const row = model.order[r] * model.n, y0 = Math.max(0, offset[r] - 1), y1 = Math.min(size, offset[r] + cell + 1);
    for (let c = 0; c < model.n; c++) {
      if (model.cells[row + model.order[c]] !== 2) continue;
      const x0 = Math.max(0, offset[c] - 1), x1 = Math.min(size, offset[c] + cell + 1);
      for (let y = y0; y < y1; y++) pixels.fill(colors[2], y * size + x0, y * size + x1);
    }
  };

  const paint = () => {
    waiting = false;
    if (!model) return;
    const began = performance.now();
    timed('prober-paint', () => {
      for (let r = 0; r < model.n && performance.now() - began < FRAME_MS; r++) {
        if (!dirty[r]) continue;
        const from = Math.max(0, r - 1), to = Math.min(model.n, r + BAND + 1);
        for (let i = from; i < to; i++) base(i);
        for (let i = Math.max(0, from - 1); i < Math.min(model.n, to + 1); i++) marks(i);
        dirty.fill(0, r, Math.min(model.n, r + BAND));
        const y0 = Math.max(0, offset[from] - 2), y1 = Math.min(size, offset[to - 1] + cell + 2);
        context.putImageData(image, 0, 0, 0, y0, size, y1 - y0);
        r += BAND - 1;
      }
    });
    if (dirty.includes(1)) later();
    else {
      performance.clearMarks('prober-painted');
      performance.mark('prober-painted');
    }
  };

  const later = () => {
    if (!waiting) requestAnimationFrame(paint);
    waiting = true;
  };

  const place2 = (r, c) => {
    at = [Math.max(0, Math.min(model.n - 1, r)), Math.max(0, Math.min(model.n - 1, c))];
    const wide = Math.max(1, cell) / ratio, x = (left + offset[at[1]]) / ratio, y = (top + offset[at[0]]) / ratio;
    Object.assign(hairs[0].style, {left: `${x}px`, top: `${top / ratio}px`, width: `${wide}px`, height: `${size / ratio}px`});
    Object.assign(hairs[1].style, {left: `${left / ratio}px`, top: `${y}px`, width: `${size / ratio}px`, height: `${wide}px`});
    hairs.forEach(hair => { hair.hidden = false; });
    say(readout, sentenceOf(model, model.order[at[0]], model.order[at[1]]));
  };

  const index = pixel => {
    let low = 0, high = model.n - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (offset[middle] <= pixel) low = middle;
      else high = middle - 1;
    }
    return low;
  };

  const openHere = () => {
    const node = at && model.nodes[model.order[at[1]]];
    if (node) open(node.address);
  };
  const pointed = event => {
    const frame = plot.getBoundingClientRect();
    const x = (event.clientX - frame.left) * ratio - left, y = (event.clientY - frame.top) * ratio - top;
    if (x < 0 && y < 0) return false;
    place2(index(y), index(x));
    return true;
  };

  const group = (i, step) => {
    const g = model.groups.findIndex(one => i < one.at + one.size);
    return model.groups[Math.max(0, Math.min(model.groups.length - 1, g + step))].at;
  };

  box.addEventListener('pointermove', event => { if (model && plot.contains(event.target)) pointed(event); });
  box.addEventListener('click', event => { if (model && plot.contains(event.target) && pointed(event)) openHere(); });
  box.addEventListener('keydown', event => {
    if (!model || event.target !== plot) return;
    const [r, c] = at || [0, 0];
    const to = {ArrowUp: [r - 1, c], ArrowDown: [r + 1, c], ArrowLeft: [r, c - 1], ArrowRight: [r, c + 1], Home: [r, 0], End: [r, model.n - 1],
      PageUp: [group(r, -1), group(r, -1)], PageDown: [group(r, 1), group(r, 1)]}[event.key];
    if (event.key === 'Enter' || event.key === ' ') openHere();
    else if (!to) return;
    else place2(...to);
    event.preventDefault();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { if (model) { paintColors(); later(); } });
  let resize = 0, width = 0;
  new ResizeObserver(() => {
    if (!model || box.clientWidth === width) return;
    clearTimeout(resize);
    resize = setTimeout(() => { if (model) { width = box.clientWidth; build(); later(); } }, 150);
  }).observe(box);

  return {
    show(next, changed) {
      const rebuild = !model || changed === null;
      model = next;
      if (rebuild) {
        width = box.clientWidth;
        build();
        paint();
        return;
      }
      for (const i of changed) dirty[places[i]] = 1;
      if (changed.length) later();
    },
    leave() { model = null; },
  };
};
