// The mapper's page: no framework and no build step. All it shows comes from `api/v2` of the mapper that serves it.
//
// In this order: elements, texts, requests, the event stream, parts of views, the views, forms that write, the frame.
//
// Names and values are hostile: they become text nodes and attribute values, and never markup. What is shown is kept as plain data; events
// change the data, and `draw` brings the elements in line with it, a few times a second at most.

// ---- Elements

const byId = (id) => document.getElementById(id);

/** An element with attributes (a function is a listener, `true` an empty attribute, and null or false none) and children. */
function el(name, attributes = {}, ...children) {
  return equip(document.createElement(name), attributes, children);
}

function svg(name, attributes = {}, ...children) {
  return equip(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);
}

/** A place for a text of the mapper's, whichever way it is written. */
const words = (style = '', name = 'span') => el(name, { class: style || null, dir: 'auto' });

function equip(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') node.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Sets a text if it differs, so that nothing is laid out anew in vain. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** Brings the children of a node in line with items. A row that stays keeps its element, and with it the focus. */
function sync(parent, rows, items, keyOf, make) {
  const kept = new Map();
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const row = rows.get(key) ?? make(item);
    row.fill(item);
    kept.set(key, row);
    if (row.node === place) place = place.nextElementSibling;
    else parent.insertBefore(row.node, place);
  }
  for (const [key, row] of rows) if (kept.get(key) !== row) row.node.remove();
  return kept;
}

let lastId = 0;
const newId = () => `id-${++lastId}`;

// ---- Texts

/** What the mapper's clock shows, whatever this machine's does. */
const clock = { ahead: 0, now: () => Date.now() + clock.ahead };

function duration(seconds) {
  if (seconds < 0) return '0 s';
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

const secondsSince = (time) => (clock.now() - Date.parse(time)) / 1000;
const age = (time) => (time ? duration(secondsSince(time)) : '–');
const ago = (time) => (time ? `${age(time)} ago` : 'never');
const since = (time) => (time ? `for ${age(time)}` : '');
const count = (number) => (number ?? 0).toLocaleString('en');
const rate = (number) => (number ?? 0).toLocaleString('en', { maximumFractionDigits: 2 });
const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;
const clip = (text, length = 160) => (text.length > length ? `${text.slice(0, length)}…` : text);
const wall = (time) => new Date(time).toLocaleTimeString(undefined, { hour12: false });

function withUnit(value, unit, length) {
  if (value === null || value === undefined) return '–';
  return clip(value, length) + (unit ? `\u00a0${unit}` : '');
}

const address = (...parts) => parts.map(encodeURIComponent).join('/');
const devicePath = ({ namespace, name }) => address('devices', namespace, name);

/** The shape and the tone of each word that stands for a state. */
const MARKS = {
  ok: ['disc', 'good'], online: ['disc', 'good'], offline: ['ring', 'bad'], disconnected: ['cross', 'bad'],
  unhealthy: ['triangle', 'warn'], unknown: ['square', 'quiet'],
  good: ['disc', 'good'], uncertain: ['triangle', 'warn'], bad: ['cross', 'bad'],
  connecting: ['half', 'quiet'], connected: ['disc', 'good'], up: ['disc', 'good'], down: ['cross', 'bad'],
  pending: ['half', 'quiet'], written: ['half', 'good'], converged: ['disc', 'good'], refused: ['cross', 'bad'],
  expired: ['cross', 'bad'], held: ['square', 'warn'], withdrawn: ['ring', 'quiet'],
  warning: ['triangle', 'warn'], blocked: ['cross', 'bad'], skipped: ['ring', 'quiet'], error: ['cross', 'bad'],
};

// ---- Requests

/** How long a request may take, in milliseconds. */
const PATIENCE = 40000;

/** What the mapper has answered in the place of what was asked for. */
class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The mapper answered with status ${status}.`);
    this.status = status;
  }
}

/** The token for writes. It is kept until the page is closed, and nowhere else. */
let token = '';

async function request(path, { method = 'GET', body } = {}) {
  const options = { method, headers: {}, cache: 'no-store' };
  if (method !== 'GET') {
    // Without the browser's own credentials, so that a wrong token is answered here and not by the browser's dialog.
    options.credentials = 'omit';
    options.headers['Authorization'] = `Bearer ${token}`;
    options.headers['Content-Type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), PATIENCE);
  try {
    const response = await fetch(`api/v2/${path}`, { ...options, signal: abort.signal });
    if (response.ok) return await response.json();
    throw new Refusal(response.status, await response.json().catch(() => ({})));
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Error(abort.signal.aborted ? `No answer within ${PATIENCE / 1000} s.` : 'The mapper cannot be reached.');
  } finally {
    clearTimeout(timer);
  }
}

/** The query of an address, without what is empty. */
function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== '');
  return given.length ? `?${new URLSearchParams(given)}` : '';
}

// ---- The event stream

/** The mapper sends at least a comment every 15 s; after so many milliseconds of silence the connection is given up. */
const SILENCE = 20000;

/**
 * Follows the mapper's events, and connects again for ever. It is read by `fetch`: an EventSource hides the comments, by which a
 * connection that is dead shows.
 */
class Stream {
  constructor({ event, changed }) {
    this.event = event;
    this.changed = changed;
    this.generation = 0;
    this.state = 'connecting';
    /** When the last byte came, by this machine's clock. */
    this.heard = null;
  }

  /** Follows these events from now on, and no others. */
  follow(filter) {
    this.stop();
    this.id = null;
    this.filter = filter;
    this.run(this.generation);
  }

  stop() {
    this.generation += 1;
    this.abort?.abort();
    this.wake?.();
  }

  /** Goes on after `stop`, with what was missed. */
  resume() {
    this.stop();
    this.run(this.generation);
  }

  async run(generation) {
    const current = () => generation === this.generation;
    for (let pause = 500; current(); pause = Math.min(pause * 2, 5000)) {
      try {
        await this.read(() => { pause = 500; });
      } catch {
        // Whatever it is, the answer is to try again.
      }
      if (!current()) return;
      this.set('stale');
      await new Promise((resolve) => {
        this.wake = resolve;
        setTimeout(resolve, pause * (0.75 + Math.random() / 2));
      });
    }
  }

  /** Reads one connection to its end. */
  async read(connected) {
    const abort = new AbortController();
    this.abort = abort;
    let timer = setTimeout(() => abort.abort(), SILENCE);
    try {
      const headers = { Accept: 'text/event-stream', ...(this.id && { 'Last-Event-ID': this.id }) };
      const response = await fetch(`api/v2/events${query(this.filter)}`, { headers, cache: 'no-store', signal: abort.signal });
      if (!response.ok) throw new Refusal(response.status, {});
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const take = this.parser();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || abort.signal.aborted) return;
        clearTimeout(timer);
        timer = setTimeout(() => abort.abort(), SILENCE);
        this.heard = Date.now();
        connected();
        this.set('live');
        take(value);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Takes pieces of the stream, and gives its events on. */
  parser() {
    let [rest, id, kind, data] = ['', null, '', ''];
    return (piece) => {
      const lines = (rest + piece).split('\n');
      rest = lines.pop();
      for (const raw of lines) {
        const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
        if (line === '') {
          if (id !== null) this.id = id;
          if (data) this.event(kind, JSON.parse(data));
          [id, kind, data] = [null, '', ''];
          continue;
        }
        const colon = line.indexOf(':');
        const value = line.slice(colon + 1).replace(/^ /, '');
        switch (line.slice(0, colon)) {
          case 'id': id = value; break;
          case 'event': kind = value; break;
          case 'data': data += value; break;
        }
      }
    };
  }

  set(state) {
    if (this.state === state) return;
    this.state = state;
    this.changed();
  }
}

// ---- Parts of views

/** A word with the shape and the colour of its meaning. */
class Badge {
  constructor(word) {
    this.use = svg('use');
    this.word = el('span');
    this.node = el('span', { class: 'badge' }, svg('svg', { class: 'shape', 'aria-hidden': 'true' }, this.use), this.word);
    if (word) this.fill(word);
  }

  fill(word, says = word) {
    const [shape, tone] = MARKS[word] ?? ['square', 'quiet'];
    setAttribute(this.use, 'href', `#${shape}`);
    setAttribute(this.node, 'class', `badge is-${tone}`);
    setText(this.word, says);
  }
}

/** Names and values, by a description list. Values that are null are left out. */
class Facts {
  constructor() {
    this.node = el('dl', { class: 'facts' });
    this.rows = new Map();
  }

  fill(facts) {
    const entries = Object.entries(facts).filter(([, value]) => value !== null && value !== undefined && value !== '');
    this.node.hidden = entries.length === 0;
    this.rows = sync(this.node, this.rows, entries, ([name]) => name, ([name]) => {
      const value = words('', 'dd');
      const node = el('div', {}, el('dt', {}, name), value);
      return { node, fill: ([, text]) => setText(value, String(text)) };
    });
  }
}

/** A list of paragraphs that warn; not there when it is empty. */
class Notice {
  constructor(title, tone = 'warn') {
    this.list = el('ul', { class: 'plain' });
    this.node = el('section', { class: `notice is-${tone}`, hidden: true }, el('strong', {}, title), this.list);
    this.rows = new Map();
  }

  fill(lines) {
    this.node.hidden = lines.length === 0;
    this.rows = sync(this.list, this.rows, lines, (line) => line, (line) => ({ node: el('li', { class: 'said', dir: 'auto' }, line), fill() {} }));
  }
}

/** A table whose rows are kept by key. The roles keep it a table where the style makes cards of its rows. */
class Table {
  constructor(caption, columns, { keyOf, make, style = '' }) {
    const heads = columns.map(([label, column = '']) => el('th', { scope: 'col', role: 'columnheader', class: column }, label));
    this.caption = el('caption', {}, caption);
    this.body = el('tbody', { role: 'rowgroup' });
    this.node = el('table', { role: 'table', class: style }, this.caption, el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...heads)), this.body);
    this.rows = new Map();
    this.fill = (items) => {
      this.rows = sync(this.body, this.rows, items, keyOf, make);
    };
  }

  static row(head, ...cells) {
    return el('tr', { role: 'row' }, el('th', { scope: 'row', role: 'rowheader' }, ...head), ...cells);
  }

  static cell(label, style, ...children) {
    return el('td', { role: 'cell', class: style, 'data-label': label }, ...children);
  }
}

/** One page of a long list, by the mapper's `continue` tokens. */
class Pages {
  /** So many rows are drawn and read without a delay, on a phone as well. */
  static SIZE = 100;

  constructor(turned) {
    this.back = el('button', { type: 'button', click: () => { this.before.pop(); turned(); } }, 'Previous');
    this.on = el('button', { type: 'button', click: () => { this.before.push(this.next); turned(); } }, 'Next');
    this.where = el('span', { class: 'figure', role: 'status' });
    this.node = el('div', { class: 'pager' }, this.back, this.on, this.where);
    this.reset();
  }

  /** Goes back to the first page. */
  reset() {
    this.before = [];
    this.next = null;
  }

  /** Loads the page. A token that the mapper does not know any more leads back to the first one. */
  async load(path, parameters) {
    const from = this.before.at(-1);
    try {
      const list = await request(path + query({ ...parameters, limit: Pages.SIZE, continue: from }));
      this.next = list.continue;
      this.total = list.total ?? list.items.length;
      this.shown = list.items.length;
      return list.items;
    } catch (error) {
      if (!from || !(error instanceof Refusal) || error.status === 404) throw error;
      this.reset();
      return this.load(path, parameters);
    }
  }

  draw() {
    if (this.total === undefined) return;
    const first = this.before.length * Pages.SIZE;
    const range = this.shown ? `${count(first + 1)} to ${count(first + this.shown)} of ${count(this.total)}` : 'Nothing fits';
    setText(this.where, range);
    this.back.disabled = this.before.length === 0;
    this.on.disabled = !this.next;
    this.back.hidden = this.on.hidden = this.back.disabled && this.on.disabled;
  }
}

/** A field that narrows a list down, and keeps what is typed in the address. */
class Search {
  constructor(label, changed) {
    const id = newId();
    let timer;
    this.input = el('input', { id, type: 'search', autocomplete: 'off', spellcheck: 'false', input: () => {
      clearTimeout(timer);
      timer = setTimeout(() => changed(this.input.value.trim()), 250);
    } });
    const field = el('div', { class: 'field' }, el('label', { for: id }, label), this.input);
    this.node = el('form', { role: 'search', submit: (event) => event.preventDefault() }, field);
  }

  set(text) {
    if (this.input.value.trim() !== text) this.input.value = text;
  }
}

/** How many milliseconds a sparkline shows at least and at most, and how many points. */
const [LEAST, WINDOW, POINTS] = [60000, 300000, 600];

/** The last minutes of the properties that are shown. */
const history = {
  device: null,
  series: new Map(),
  /** Those whose past has been asked for; none is where no sink keeps a history. */
  asked: new Set(),
  /** How many milliseconds are drawn, of all alike. */
  span: LEAST,

  /** Forgets all but these properties of this device. */
  keep(device, names) {
    if (this.device !== device) {
      this.device = device;
      this.series.clear();
      this.asked = new Set();
    }
    for (const name of this.series.keys()) if (!names.has(name)) this.series.delete(name);
    for (const name of names) if (!this.series.has(name)) this.series.set(name, []);
  },

  /** Fits what is drawn to what there is. */
  fit() {
    const first = Math.min(...[...this.series.values()].map((series) => series[0]?.at ?? Infinity));
    this.span = Math.min(Math.max(clock.now() - first, LEAST), WINDOW);
    if (first === Infinity) this.span = LEAST;
  },

  add(name, value, time) {
    const series = this.series.get(name);
    const at = Date.parse(time);
    if (!series || value === null || at <= series.at(-1)?.at) return;
    // Faster ones than can be drawn take the place of the one before.
    if (series.length > 1 && at - series.at(-2).at < WINDOW / POINTS) series.pop();
    series.push({ at, value });
    while (series[0].at < at - WINDOW - 60000) series.shift();
  },

  /** Fetches what a sink has kept of these, one after the other. */
  async fetch(path, names) {
    const device = this.device;
    for (const name of names) {
      if (this.device !== device || this.asked === null || this.asked.has(name)) continue;
      this.asked.add(name);
      const from = new Date(clock.now() - WINDOW).toISOString();
      try {
        const { items } = await request(`${path}/history${query({ property: name, from, limit: POINTS })}`);
        const series = this.series.get(name);
        if (this.device !== device || !series) continue;
        const known = series[0]?.at ?? Infinity;
        series.unshift(...items.map(({ time, value }) => ({ at: Date.parse(time), value })).filter(({ at }) => at < known));
      } catch {
        if (this.device === device) this.asked = null;
        return;
      }
    }
  },
};

const asNumber = (value) => (value === 'true' ? 1 : value === 'false' || value === '' ? 0 : Number(value));

/** The course of a property. It has a text, since a picture has none. */
class Spark {
  constructor(style = '') {
    this.path = svg('path');
    this.node = svg('svg', { class: `spark ${style}`, role: 'img', viewBox: '0 0 300 40', preserveAspectRatio: 'none' }, this.path);
  }

  /** Draws it, and returns whether there is anything to see. */
  draw(series, unit) {
    const end = clock.now();
    const begin = end - history.span;
    const points = series.filter(({ at }) => at >= begin).map(({ at, value }) => [(at - begin) / history.span * 300, asNumber(value)]);
    const numbers = points.map(([, number]) => number);
    const drawn = points.length > 1 && numbers.every(Number.isFinite);
    this.node.classList.toggle('blank', !drawn);
    if (!drawn) {
      setAttribute(this.path, 'd', '');
      setAttribute(this.node, 'aria-label', 'Nothing to draw yet');
      return false;
    }
    const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
    const height = (number) => (high === low ? 20 : 37 - (number - low) / (high - low) * 34);
    setAttribute(this.path, 'd', points.map(([x, number], index) => `${index ? 'L' : 'M'}${x.toFixed(1)} ${height(number).toFixed(1)}`).join(''));
    const suffix = unit ? ` ${unit}` : '';
    this.says = `${low === high ? `Always ${low}` : `${low} to ${high}`}${suffix} in the last ${duration(history.span / 1000)}`;
    setAttribute(this.node, 'aria-label', this.says);
    return true;
  }
}

// ---- The views. Each has a `root`, and may have a `filter` of events, `load`, `event`, `draw`, and `every` how many seconds it loads anew.

class View {
  constructor(title) {
    this.title = title;
    this.h1 = el('h1', { tabindex: '-1' }, el('bdi', {}, title));
    this.trouble = el('div', { class: 'notice is-bad', role: 'alert', hidden: true });
    this.root = el('div', { class: 'empty' }, this.h1, this.trouble);
    this.every = 5;
    this.loaded = false;
  }

  get filter() {
    return { kinds: 'device,state,sink,edgecore,budget,read,desired' };
  }

  /** Any event may change what is shown: it is loaded anew. */
  event() {
    frame.loadSoon();
  }

  asked() {}

  draw() {}
}

const STATES = ['ok', 'online', 'offline', 'disconnected', 'unhealthy', 'unknown'];

class DevicesView extends View {
  constructor() {
    super('Devices');
    this.every = 10;
    this.items = [];
    this.tiles = el('ul', { class: 'tiles', 'aria-label': 'Filter by state' });
    this.tileRows = new Map();
    this.search = new Search('Search devices', (text) => this.go({ search: text }));
    this.pages = new Pages(() => frame.load());
    this.table = new Table('', [['Device', 'wide'], ['State', 'wide'], ['Last value', 'small-column'], ['Properties'], ['Model']], {
      keyOf: ({ namespace, name }) => `${namespace}/${name}`,
      make: (item) => DevicesView.row(item),
    });
    this.table.caption.remove();
    this.table.node.setAttribute('aria-label', 'Devices');
    this.root.append(this.tiles, this.search.node, this.table.node, this.pages.node);
  }

  get filter() {
    return { kinds: 'device,state,sink,edgecore' };
  }

  asked(parameters) {
    this.state = parameters.get('state') ?? '';
    this.text = parameters.get('search') ?? '';
    this.search.set(this.text);
    this.pages.reset();
  }

  go({ search = this.text, state = this.state }) {
    frame.go(`#/devices${query({ state, search })}`);
  }

  async load() {
    this.items = await this.pages.load('devices', { state: this.state, search: this.text });
  }

  event(kind, data) {
    const item = kind === 'state' && this.items.find(({ namespace, name }) => namespace === data.namespace && name === data.name);
    if (item) Object.assign(item, { state: data.state, reason: data.reason, since: data.time });
    frame.loadSoon();
  }

  draw() {
    const counts = frame.mapper?.devices ?? {};
    const tiles = [['', counts.total], ...STATES.map((state) => [state, counts[state]])];
    this.tileRows = sync(this.tiles, this.tileRows, tiles, ([state]) => state, ([state]) => {
      const figure = el('b');
      const link = el('a', {}, figure, state ? new Badge(state).node : el('span', { class: 'badge' }, 'all'));
      return { node: el('li', {}, link), fill: ([, number]) => {
        setText(figure, number === undefined ? '–' : count(number));
        setAttribute(link, 'href', `#/devices${query({ state, search: this.text })}`);
        if (state === this.state) link.setAttribute('aria-current', 'true');
        else link.removeAttribute('aria-current');
      } };
    });
    this.table.fill(this.items);
    this.table.node.hidden = this.items.length === 0;
    this.pages.draw();
  }

  static row({ namespace, name }) {
    const [badge, reason, last, properties, model] = [new Badge(), words('small', 'div'), el('span'), el('span'), el('bdi')];
    const head = [el('a', { href: `#/${devicePath({ namespace, name })}` }, el('bdi', {}, name)), ' ', el('div', { class: 'quiet small' }, el('bdi', {}, namespace))];
    const node = Table.row(head,
      Table.cell(null, 'across', badge.node, ' ', reason),
      Table.cell('Last value', 'figure', last),
      Table.cell('Properties', 'figure', properties),
      Table.cell('Model', 'across', model));
    const fill = (item) => {
      badge.fill(item.state);
      setText(reason, [since(item.since), item.reason].filter(Boolean).join(': '));
      setText(last, ago(item.lastSample));
      const failing = item.failing ? `, ${count(item.failing)} failing` : '';
      const problems = item.problems ? `, ${plural(item.problems, 'problem', 'problems')}` : '';
      setText(properties, count(item.properties) + failing + problems);
      setText(model, item.model.namespace === namespace ? item.model.name : `${item.model.namespace}/${item.model.name}`);
    };
    return { node, fill };
  }
}

/** What all views of a device have: its name, its state, and the way to the others. */
class DeviceView extends View {
  constructor([namespace, name], title, here) {
    super(title);
    Object.assign(this, { namespace, name, id: `${namespace}/${name}`, path: devicePath({ namespace, name }) });
    this.badge = new Badge();
    this.reason = words();
    const link = (where, text) => el('a', { href: `#/${this.path}${where}`, 'aria-current': where === here ? 'page' : null }, text);
    this.methodsLink = link('/methods', 'Methods');
    this.root.prepend(
      el('p', { class: 'crumbs' }, el('a', { href: '#/devices' }, 'Devices'),
        ...(title === name ? [] : [' / ', el('a', { href: `#/${this.path}` }, el('bdi', {}, name))])),
    );
    this.h1.after(
      el('p', {}, this.badge.node, ' ', this.reason),
      el('nav', { 'aria-label': 'Device' }, link('', 'Properties'), this.methodsLink, link('/explain', 'Explain')),
    );
  }

  get filter() {
    return { kinds: 'device,state,read,desired,sample,twin,anomaly', device: this.id };
  }

  async load() {
    this.device = await request(this.path);
  }

  event(kind, data) {
    if (kind === 'state' && this.device) Object.assign(this.device, { state: data.state, reason: data.reason, since: data.time });
    if (kind === 'device') frame.loadSoon();
  }

  draw() {
    if (!this.device) return;
    const { state, reason, since: from, methods } = this.device;
    this.badge.fill(state);
    setText(this.reason, [since(from), reason].filter(Boolean).join(': '));
    setText(this.methodsLink, `Methods (${methods.length})`);
  }
}

/** Brings a property in line with an event, and says whether it is about one. */
function applyToProperty(property, kind, data) {
  switch (kind) {
    case 'sample':
      Object.assign(property, { value: data.value, quality: data.quality, time: data.time });
      history.add(data.property, data.value, data.time);
      return true;
    case 'read':
      property.error = data.error ? { message: data.error.message ?? data.error, since: data.time } : null;
      return true;
    case 'desired':
      property.desired = { value: data.value, phase: data.phase, reason: data.reason };
      return true;
    default:
      return false;
  }
}

/** An event in words; none if it is nothing to report. */
function eventText(kind, data) {
  switch (kind) {
    case 'state': return `is ${data.state}${data.reason ? `: ${data.reason}` : ''}`;
    case 'read': return data.error ? `${data.property} cannot be read: ${data.error.message ?? data.error}` : `${data.property} is read again`;
    case 'anomaly': return `${data.property} = ${data.value}: ${data.rule}: ${data.detail}`;
    case 'desired': return `${data.property} shall be ${data.value}: ${data.phase}${data.reason ? `: ${data.reason}` : ''}`;
    case 'twin': return data.action === 'heldBack' ? `${data.property} is not reported: ${data.reason}` : null;
    case 'device': return data.action;
    default: return null;
  }
}

/** How many events a device's view lists, and for how many properties it asks for the past. */
const [EVENTS, PASTS] = [20, 12];

class PropertiesView extends DeviceView {
  constructor(place) {
    super(place, place[1], '');
    this.every = 10;
    this.items = [];
    this.byName = new Map();
    this.recent = [];
    this.manifest = new Notice('The manifest has faults. What they concern is left out:');
    this.doubts = new Notice('Worth a look:');
    this.search = new Search('Search properties', (search) => frame.go(`#/${this.path}${query({ search })}`));
    this.pages = new Pages(() => frame.load());
    this.table = new Table('', [['Property', 'wide'], ['Value', 'wide'], ['Trend'], ['Age', 'number small-column'], ['Desired', 'wide']], {
      keyOf: ({ name }) => name,
      make: (item) => this.row(item),
    });
    this.table.caption.remove();
    this.table.node.setAttribute('aria-label', 'Properties');
    this.facts = new Facts();
    this.counters = new Facts();
    this.events = el('ol', { class: 'plain events' });
    this.eventRows = new Map();
    this.image = el('img', { alt: 'The newest picture. It leads to the live ones.' });
    this.live = el('a', { href: `api/v2/${this.path}/stream.mjpeg` });
    this.picture = el('p', { class: 'picture' }, this.live);
    this.picture.hidden = true;
    this.lookAt = 0;
    // A stream that is stopped or stalled has none.
    this.image.addEventListener('load', () => this.looked(false, 1));
    this.image.addEventListener('error', () => this.looked(true, this.every));
    this.root.append(this.manifest.node, this.doubts.node, this.picture, this.search.node, this.table.node, this.pages.node,
      el('h2', {}, 'Since this view was opened'), this.events,
      el('h2', {}, 'About this device'), this.facts.node,
      el('details', {}, el('summary', {}, 'Counters'), this.counters.node));
  }

  asked(parameters) {
    this.text = parameters.get('search') ?? '';
    this.search.set(this.text);
    this.pages.reset();
  }

  async load() {
    const [items] = await Promise.all([this.pages.load(`${this.path}/properties`, { search: this.text }), super.load()]);
    this.items = items;
    this.byName = new Map(items.map((item) => [item.name, item]));
    history.keep(this.id, new Set(this.byName.keys()));
    for (const { name, value, time } of items) if (time) history.add(name, value, time);
    history.fetch(this.path, items.slice(0, PASTS).map(({ name }) => name));
  }

  event(kind, data) {
    super.event(kind, data);
    const text = eventText(kind, data);
    if (text) {
      this.recent.unshift({ key: newId(), time: data.time, text });
      this.recent.length = Math.min(this.recent.length, EVENTS);
    }
    const property = this.byName.get(data.property);
    if (property) applyToProperty(property, kind, data);
  }

  /** Looks at the camera, if the last picture has come and it is time for another one. */
  look() {
    if (!this.device.stream) {
      this.picture.hidden = true;
    } else if (performance.now() >= this.lookAt) {
      this.lookAt = Infinity;
      this.live.append(this.image);
      this.image.src = `api/v2/${this.path}/snapshot.jpg?${newId()}`;
    }
  }

  looked(hidden, pause) {
    this.picture.hidden = hidden;
    this.lookAt = performance.now() + pause * 1000;
  }

  draw() {
    super.draw();
    if (!this.device) return;
    const { device } = this;
    this.look();
    history.fit();
    this.manifest.fill(device.manifestProblems);
    this.doubts.fill(device.doubts);
    this.table.fill(this.items);
    this.table.node.hidden = this.items.length === 0;
    this.pages.draw();
    this.facts.fill({
      Namespace: device.namespace, Model: `${device.model.namespace}/${device.model.name}`, Protocol: device.protocol,
      'Last value': ago(device.lastSample), Connects: count(device.connects),
      'State report': device.stateReportSeconds ? `every ${rate(device.stateReportSeconds)} s` : null,
    });
    this.counters.fill(Object.fromEntries(Object.entries(device.counters ?? {}).map(([name, number]) => [name, count(number)])));
    const recent = this.recent.length ? this.recent : [{ key: '', time: null, text: 'Nothing but values.' }];
    this.eventRows = sync(this.events, this.eventRows, recent, ({ key }) => key, ({ time, text }) => ({
      node: el('li', {}, time ? el('time', { class: 'figure quiet', datetime: time }, wall(time)) : null, el('span', { dir: 'auto' }, clip(text))),
      fill() {},
    }));
  }

  row({ name }) {
    const [about, value, quality, error] = [words('quiet small', 'div'), words('value'), new Badge(), words('small is-bad', 'div')];
    const [spark, old, desired, phase, why] = [new Spark(), el('span'), words('value'), new Badge(), words('small', 'div')];
    const wish = Table.cell('Desired', 'across', desired, ' ', phase.node, ' ', why);
    const course = Table.cell(null, '', spark.node);
    const node = Table.row([el('a', { href: `#/${this.path}/properties/${encodeURIComponent(name)}` }, el('bdi', {}, name)), about],
      Table.cell(null, 'across', value, ' ', quality.node, error), course, Table.cell('Age', 'number', old), wish);
    const fill = (item) => {
      setText(about, [item.description, item.accessMode === 'ReadWrite' ? 'can be written' : ''].filter(Boolean).join(' · '));
      setText(value, withUnit(item.value, item.unit));
      if (item.value !== null || !item.error) quality.fill(item.quality ?? 'unknown', item.quality ?? 'no value yet');
      else quality.fill('bad', 'no value');
      setText(error, item.error ? `${since(item.error.since)}: ${clip(item.error.message)}` : '');
      setText(old, age(item.time));
      wish.classList.toggle('blank', !item.desired);
      desired.hidden = phase.node.hidden = !item.desired;
      if (item.desired) {
        setText(desired, withUnit(item.desired.value, item.unit));
        phase.fill(item.desired.phase);
      }
      setText(why, item.desired?.reason ? clip(item.desired.reason) : '');
      spark.draw(history.series.get(name) ?? [], item.unit);
    };
    return { node, fill };
  }
}

/** The phases that a desired value goes through when all is well. */
const PHASES = ['pending', 'written', 'converged'];

class PropertyView extends DeviceView {
  constructor([namespace, name, property]) {
    super([namespace, name], property, null);
    this.propertyName = property;
    this.propertyPath = `${this.path}/properties/${encodeURIComponent(property)}`;
    this.about = words('quiet', 'p');
    this.value = el('pre', { class: 'value', dir: 'auto', tabindex: '0', 'aria-label': 'Value' });
    this.quality = new Badge();
    this.old = el('span');
    this.error = new Notice('It cannot be read:', 'bad');
    this.spark = new Spark('large');
    this.range = el('p', { class: 'quiet figure' });
    this.wish = el('section', { hidden: true }, el('h2', {}, 'Desired'));
    [this.desired, this.phase, this.why] = [words('value'), new Badge(), words('', 'p')];
    this.steps = el('ol', { class: 'steps', 'aria-label': 'How far it is' }, ...PHASES.map((phase) => el('li', {}, phase)));
    this.wish.append(el('p', {}, this.desired, ' ', this.phase.node), this.steps, this.why);
    this.fresh = new ReadNow(this);
    this.write = el('section', {}, el('h2', {}, 'Write'));
    this.facts = new Facts();
    this.strategy = new Facts();
    this.counters = new Facts();
    this.root.append(this.about, this.value, el('p', {}, this.quality.node, ' ', this.old), this.error.node, this.spark.node, this.range,
      this.fresh.node, this.wish, this.write, el('h2', {}, 'About this property'), this.facts.node,
      el('p', {}, el('a', { href: `#/${this.path}/explain${query({ property })}` }, 'Explain where its values are')),
      el('details', {}, el('summary', {}, 'Report strategy'), this.strategy.node),
      el('details', {}, el('summary', {}, 'Counters'), this.counters.node));
  }

  get filter() {
    return { ...super.filter, property: this.propertyName };
  }

  async load() {
    const [property] = await Promise.all([request(this.propertyPath), super.load()]);
    this.take(property);
  }

  take(property) {
    this.property = property;
    history.keep(this.id, new Set([property.name]));
    if (property.time) history.add(property.name, property.value, property.time);
    history.fetch(this.path, [property.name]);
    // A form that somebody fills in stays as it is.
    if (this.form || property.accessMode !== 'ReadWrite') return;
    this.form = writeForm(this.propertyPath, property);
    this.write.append(this.form.node);
  }

  event(kind, data) {
    super.event(kind, data);
    if (!this.property || data.property !== this.propertyName) return;
    if (kind === 'twin' && data.action === 'stored') this.property.twin = { value: data.value, time: data.time, heldBack: null };
    if (kind === 'twin' && data.action === 'heldBack') this.property.twin = { value: null, time: null, ...this.property.twin, heldBack: data.reason };
    applyToProperty(this.property, kind, data);
  }

  draw() {
    super.draw();
    const { property } = this;
    if (!property) return;
    const { desired, twin } = property;
    setText(this.about, property.description ?? '');
    const text = withUnit(property.value, property.unit, Infinity);
    setText(this.value, text);
    this.value.classList.toggle('big', text.length < 40);
    this.quality.fill(property.quality ?? 'unknown', property.quality ?? 'no value yet');
    setText(this.old, property.time ? `${age(property.time)} old` : '');
    this.error.fill(property.error ? [`${since(property.error.since)}: ${property.error.message}`] : []);
    history.fit();
    const drawn = this.spark.draw(history.series.get(property.name) ?? [], property.unit);
    this.spark.node.toggleAttribute('hidden', ['STRING', 'BYTES', 'STREAM'].includes(property.type));
    setText(this.range, drawn ? this.spark.says : '');
    this.wish.hidden = !desired;
    if (desired) {
      setText(this.desired, withUnit(desired.value, property.unit));
      this.phase.fill(desired.phase);
      setText(this.why, desired.reason ?? '');
      this.steps.hidden = !PHASES.includes(desired.phase);
      [...this.steps.children].forEach((step, index) => {
        if (PHASES[index] === desired.phase) step.setAttribute('aria-current', 'step');
        else step.removeAttribute('aria-current');
      });
    }
    this.write.hidden = property.accessMode !== 'ReadWrite';
    this.form?.draw();
    const twinText = twin && withUnit(twin.value, property.unit) + (twin.time ? `, ${ago(twin.time)}` : '') + (twin.heldBack ? `; the last one is held back: ${twin.heldBack}` : '');
    this.facts.fill({
      Type: property.type, Unit: property.unit, Access: property.accessMode, Minimum: property.minimum, Maximum: property.maximum,
      'Read every': property.collectCycleSeconds && `${rate(property.collectCycleSeconds)} s`,
      'Next read': property.nextReadSeconds === null ? null : `in ${rate(property.nextReadSeconds)} s`,
      'Reported to the cloud': property.reportToCloud ? 'yes' : 'no',
      'Reported every': property.reportCycleSeconds && `${rate(property.reportCycleSeconds)} s`,
      'Value in the cloud': twinText, Sinks: (property.sinks ?? []).join(', '),
    });
    this.strategy.fill(Object.fromEntries(Object.entries(property.strategy ?? {}).map(([name, value]) => [name, value === null ? null : typeof value === 'object' ? JSON.stringify(value) : value])));
    this.counters.fill(Object.fromEntries(Object.entries(property.counters ?? {}).map(([name, number]) => [name, count(number)])));
  }
}

/** Has the device read at once, in the place of the last value. */
class ReadNow {
  constructor(view) {
    this.status = el('span', { role: 'status' });
    this.button = el('button', { type: 'button', click: () => this.read(view) }, 'Read now');
    this.node = el('p', { class: 'pager' }, this.button, this.status);
  }

  async read(view) {
    this.button.disabled = true;
    setText(this.status, 'Reading');
    try {
      const property = await request(`${view.propertyPath}?fresh=true`);
      view.take(property);
      setText(this.status, `Read: ${withUnit(property.value, property.unit)}`);
    } catch (error) {
      setText(this.status, error.message);
    }
    this.button.disabled = false;
    frame.draw();
  }
}

class MethodsView extends DeviceView {
  constructor(place) {
    super(place, 'Methods', '/methods');
    this.list = el('div');
    this.forms = new Map();
    this.root.append(this.list);
  }

  get filter() {
    return { kinds: 'device,state', device: this.id };
  }

  async load() {
    await super.load();
    const names = new Set(this.device.methods.flatMap((method) => method.arguments));
    const known = this.properties ?? new Map();
    const missing = [...names].filter((name) => !known.has(name));
    const found = await Promise.all(missing.map((name) => request(`${this.path}/properties/${encodeURIComponent(name)}`)));
    found.forEach((property) => known.set(property.name, property));
    this.properties = known;
  }

  draw() {
    super.draw();
    if (!this.properties) return;
    const methods = this.device.methods.length ? this.device.methods : [null];
    this.forms = sync(this.list, this.forms, methods, (method) => method?.name ?? '', (method) => {
      if (!method) return { node: el('p', {}, 'This device has no methods.'), fill() {} };
      const form = methodForm(this.path, method, this.properties);
      const node = el('section', {}, el('h2', {}, el('bdi', {}, method.name)), method.description ? el('p', { dir: 'auto' }, method.description) : null, form.node);
      return { node, fill: () => form.draw() };
    });
  }
}

class ExplainView extends DeviceView {
  constructor(place) {
    super(place, 'Explain', '/explain');
    this.subject = el('p');
    this.stages = el('ol', { class: 'plain' });
    this.rows = new Map();
    this.root.append(this.subject, this.stages);
  }

  get filter() {
    return { kinds: 'device,state,read,desired,edgecore,sink,budget', device: this.id };
  }

  asked(parameters) {
    this.property = parameters.get('property');
  }

  async load() {
    // A device that has never come can be explained, too.
    const device = super.load().catch((error) => { if (error.status !== 404) throw error; });
    const [explained] = await Promise.all([request(`${this.path}/explain${query({ property: this.property })}`), device]);
    this.explained = explained;
  }

  event(kind, data) {
    super.event(kind, data);
    frame.loadSoon();
  }

  draw() {
    super.draw();
    if (!this.explained) return;
    const { property, stages, heldUpBy } = this.explained;
    const what = property ? `Values of ${property}` : 'Values';
    setText(this.subject, heldUpBy ? `${what} are held up by: ${heldUpBy}.` : `${what} are held up by nothing.`);
    this.rows = sync(this.stages, this.rows, stages, ({ name }) => name, ({ name }) => {
      const [badge, from, detail, cure] = [new Badge(), el('span', { class: 'quiet' }), words('', 'p'), words('', 'p')];
      const node = el('li', {}, el('strong', {}, name), ' ', badge.node, ' ', from, detail, cure);
      return { node, fill: (stage) => {
        badge.fill(stage.verdict);
        node.classList.toggle('held', stage.name === heldUpBy);
        setText(from, since(stage.since));
        setText(detail, [stage.detail, stage.figure].filter((part) => part !== null && part !== undefined && part !== '').join(' · '));
        setText(cure, stage.cure ? `Cure: ${stage.cure}` : '');
        cure.hidden = !stage.cure;
      } };
    });
  }
}

const LEDGER = [['Produced', 'produced'], ['Delivered', 'delivered'], ['Rejected', 'rejected'], ['Dropped', 'dropped'], ['In flight', 'inFlight'], ['Repeated', 'repeated']];

class SinksView extends View {
  constructor() {
    super('Sinks');
    this.every = 2;
    this.items = [];
    this.none = el('p', { hidden: true }, 'No device sends to a sink.');
    this.table = new Table('Records: each one produced is delivered, rejected, dropped, or in flight.',
      [['Target', 'wide'], ...LEDGER.map(([label]) => [label, 'number']), ['Spooled', 'number']],
      { keyOf: ({ target }) => target, make: (item) => SinksView.row(item), style: 'ledgers' });
    this.table.node.hidden = true;
    this.root.append(this.none, this.table.node);
  }

  get filter() {
    return { kinds: 'sink,edgecore,state,device' };
  }

  async load() {
    ({ items: this.items } = await request('sinks'));
  }

  draw() {
    this.none.hidden = !this.loaded || this.items.length > 0;
    this.table.node.hidden = this.items.length === 0;
    this.table.fill(this.items);
  }

  static row({ target }) {
    const [badge, reason, spooled] = [new Badge(), words('small', 'div'), el('span')];
    const figures = LEDGER.map(([label, key]) => ({ key, label, node: el('span') }));
    const node = Table.row([el('strong', {}, el('bdi', {}, target)), el('div', {}, badge.node), reason],
      ...figures.map(({ label, node: figure }) => Table.cell(label, 'number', figure)), Table.cell('Spooled', 'number', spooled));
    return { node, fill: (item) => {
      badge.fill(item.state);
      setText(reason, item.reason ?? '');
      for (const { key, node: figure } of figures) setText(figure, count(item.ledger[key]));
      setText(spooled, item.spooledRecords ? `${count(item.spooledRecords)} (${bytes(item.spooledBytes)})` : '0');
    } };
  }
}

function bytes(number) {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  const step = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(number, 1)) / 10));
  return `${rate(number / 1024 ** step)} ${units[step]}`;
}

class EdgecoreView extends View {
  constructor() {
    super('Edgecore');
    this.every = 2;
    [this.badge, this.reason] = [new Badge(), words()];
    this.exceeded = new Notice('The devices need more calls than edgecore accepts:');
    this.rateMeter = new Gauge('Calls per second that edgecore accepts, of those set as the limit');
    this.burstMeter = new Gauge('Calls that can be made at once');
    this.facts = new Facts();
    this.root.append(el('p', {}, this.badge.node, ' ', this.reason), this.exceeded.node,
      el('h2', {}, 'Budget of calls'), this.rateMeter.node, this.burstMeter.node, el('h2', {}, 'Link'), this.facts.node);
  }

  get filter() {
    return { kinds: 'edgecore,budget,sink,state,device' };
  }

  async load() {
    this.edgecore = await request('edgecore');
  }

  draw() {
    const { edgecore } = this;
    if (!edgecore) return;
    const { budget, exceeded } = edgecore;
    this.badge.fill(edgecore.link);
    setText(this.reason, [since(edgecore.since), edgecore.reason].filter(Boolean).join(': '));
    this.exceeded.fill(exceeded ? [`${rate(exceeded.neededPerSecond)} calls per second are needed, ${rate(exceeded.acceptedPerSecond)} are accepted: values in the cloud get up to ${duration(exceeded.stalenessSeconds)} old. Cure: ${exceeded.cure}`] : []);
    this.rateMeter.fill(budget.ratePerSecond, budget.callsPerSecond);
    this.burstMeter.fill(budget.availableCalls, budget.burst);
    this.facts.fill({
      Socket: edgecore.socket, 'Reports go by': edgecore.via, 'Devices that wait': count(edgecore.queuedDevices),
      'Oldest has waited': edgecore.oldestWaitingSeconds ? duration(edgecore.oldestWaitingSeconds) : null,
    });
  }
}

/** How much there is of something, as a bar and in figures. */
class Gauge {
  constructor(label) {
    const id = newId();
    this.meter = el('meter', { id, min: 0 });
    this.figures = el('span', { class: 'figure' });
    this.node = el('div', { class: 'gauge' }, el('label', { for: id }, label, ': ', this.figures), this.meter);
  }

  fill(value, most) {
    this.meter.max = most ?? 1;
    this.meter.value = value ?? 0;
    setText(this.figures, `${rate(value)} of ${rate(most)}`);
  }
}

class ProblemsView extends View {
  constructor() {
    super('Problems');
    this.none = el('p', { hidden: true }, new Badge('ok').node, ' Nothing is wrong.');
    this.list = el('ul', { class: 'plain' });
    this.rows = new Map();
    this.items = [];
    this.root.append(this.none, this.list);
  }

  async load() {
    ({ items: this.items } = await request('problems'));
  }

  draw() {
    this.none.hidden = !this.loaded || this.items.length > 0;
    const keyOf = ({ severity, subject, message }) => JSON.stringify([severity, subject, message]);
    this.rows = sync(this.list, this.rows, this.items, keyOf, ({ severity, subject, message, cure }) => {
      const from = el('span', { class: 'quiet' });
      const node = el('li', {}, new Badge(severity).node, ' ', subjectLink(subject), ' ', from, el('p', { dir: 'auto' }, message),
        cure ? el('p', { dir: 'auto' }, el('strong', {}, 'Cure: '), cure) : null);
      return { node, fill: (problem) => setText(from, since(problem.since)) };
    });
  }
}

function subjectLink({ kind, namespace, name, property, target }) {
  const link = (where, text) => el('a', { href: `#/${where}` }, el('bdi', {}, text));
  switch (kind) {
    case 'device': return link(devicePath({ namespace, name }), `${namespace}/${name}`);
    case 'property': return link(`${devicePath({ namespace, name })}/properties/${encodeURIComponent(property)}`, `${namespace}/${name} ${property}`);
    case 'sink': return link('sinks', target);
    case 'edgecore': return link('edgecore', 'edgecore');
    default: return el('strong', {}, kind);
  }
}

class NowhereView extends View {
  constructor() {
    super('There is no such view');
    this.root.append(el('p', {}, el('a', { href: '#/devices' }, 'All devices')));
  }

  async load() {}
}

// ---- Forms that write. The token is asked for once, and kept in memory only.

/** What is wrong with a text as a value of this property; none if nothing is. */
function fault(text, { type, minimum, maximum }) {
  const trimmed = text.trim();
  const beyond = (given, limit) => given !== null && given !== undefined && given !== '' && limit(Number(given));
  switch (type) {
    case 'INT': {
      if (!/^[+-]?\d+$/.test(trimmed)) return 'A whole number is needed, such as 42.';
      const number = BigInt(trimmed.replace('+', ''));
      if (BigInt.asIntN(64, number) !== number) return 'The number does not fit into 64 bits.';
      break;
    }
    case 'FLOAT':
    case 'DOUBLE':
      if (/^[+-]?\d+,\d+$/.test(trimmed)) return `Write it with a point: ${trimmed.replace(',', '.')}`;
      if (trimmed === '' || !Number.isFinite(Number(trimmed))) return 'A number is needed, such as 21.5.';
      break;
    case 'BYTES':
      return /^[\w+/-]*={0,2}$/.test(trimmed) ? null : 'Base64 is needed, such as AP8.';
    default:
      return null;
  }
  if (beyond(minimum, (limit) => Number(trimmed) < limit)) return `The least is ${minimum}.`;
  if (beyond(maximum, (limit) => Number(trimmed) > limit)) return `The most is ${maximum}.`;
  return null;
}

/** A labelled input with what is wrong with it beside. */
class Field {
  constructor(label, input, { hint = '', check = () => null } = {}) {
    const [id, hintId] = [newId(), newId()];
    this.input = equip(input, { id, 'aria-describedby': hintId }, []);
    this.usual = hint;
    this.hint = el('p', { class: 'hint', id: hintId }, hint);
    this.node = el('div', { class: 'field' }, el('label', { for: id }, label), input, this.hint);
    this.check = check;
  }

  get value() {
    return this.input.value;
  }

  /** Whether it can be sent; shows why not. */
  sound() {
    const wrong = this.check(this.value);
    this.input.setAttribute('aria-invalid', String(Boolean(wrong)));
    this.hint.classList.toggle('is-bad', Boolean(wrong));
    setText(this.hint, wrong ?? this.usual);
    return !wrong;
  }
}

/** The field for a value of a property. */
function valueField(label, property) {
  const { type, unit, minimum, maximum } = property;
  const given = (value) => value !== null && value !== undefined && value !== '';
  const limits = [given(minimum) && `at least ${minimum}`, given(maximum) && `at most ${maximum}`].filter(Boolean).join(', ');
  const hint = [type, unit, limits].filter(Boolean).join(' · ');
  if (type === 'BOOLEAN') {
    const option = (value) => el('option', { value, selected: property.value === value }, value);
    return new Field(label, el('select', {}, option('false'), option('true')), { hint });
  }
  // The number pad of some phones has no minus sign.
  const inputmode = ['INT', 'FLOAT', 'DOUBLE'].includes(type) && given(minimum) && Number(minimum) >= 0 ? 'decimal' : 'text';
  const input = el('input', { type: 'text', inputmode, autocomplete: 'off', spellcheck: 'false' });
  return new Field(label, input, { hint, check: (text) => fault(text, property) });
}

/** A form that sends its fields once they are sound, and says what came of it. */
class OrderForm {
  constructor(fields, label, send) {
    Object.assign(this, { fields, send });
    this.token = new Field('Token', el('input', { type: 'password', autocomplete: 'off', spellcheck: 'false' }), {
      hint: 'Kept in memory until the page is closed.',
      check: (text) => (token || text.trim() ? null : 'The mapper takes writes with its token only.'),
    });
    this.forget = el('button', { type: 'button', click: () => { token = ''; this.draw(); } }, 'Forget the token');
    this.button = el('button', { type: 'submit', class: 'main' }, label);
    this.status = el('div', { role: 'status' });
    this.off = el('p', { hidden: true }, 'This mapper takes no writes from here: it has no token for them in its configuration.');
    this.mode = el('p', { hidden: true });
    this.form = el('form', { novalidate: true, submit: (event) => { event.preventDefault(); this.submit(); } },
      el('div', { class: 'fields' }, ...fields.map(({ node }) => node), this.token.node), el('p', { class: 'pager' }, this.button, this.forget));
    this.node = el('div', {}, this.off, this.mode, this.form, this.status);
    this.draw();
  }

  draw() {
    const { writable = true, writes } = frame.mapper ?? {};
    this.off.hidden = writable;
    this.form.hidden = !writable;
    this.mode.hidden = !writable || !['readOnly', 'dryRun'].includes(writes);
    setText(this.mode, writes === 'dryRun' ? 'The mapper is in dry run: it checks writes, and carries none out.' : 'The mapper is set to read only: it refuses all writes.');
    this.token.node.hidden = Boolean(token);
    this.forget.hidden = !token;
  }

  async submit() {
    const wrong = [...this.fields, this.token].filter((field) => !field.sound());
    if (wrong.length) {
      wrong[0].input.focus();
      return;
    }
    if (!token) token = this.token.value.trim();
    this.token.input.value = '';
    this.button.disabled = true;
    this.say('quiet', ['Sending']);
    try {
      this.say('good', await this.send());
    } catch (error) {
      this.say('bad', [error.message]);
      if (error.status === 401) token = '';
    }
    this.button.disabled = false;
    this.draw();
    if (token) this.button.focus();
    else this.token.input.focus();
  }

  say(tone, lines) {
    this.status.replaceChildren(el('div', { class: `notice is-${tone}` }, ...lines.map((line) => el('p', { class: 'said', dir: 'auto' }, line))));
  }
}

const readBackLine = ({ property, value, quality, time }) => `Read back: ${property} = ${withUnit(value)}${quality && quality !== 'good' ? ` (${quality})` : ''}${time ? `, ${wall(time)}` : ''}`;

function writeForm(path, property) {
  const value = valueField('New value', property);
  const expires = new Field('Give up after', el('input', { type: 'text', inputmode: 'decimal', autocomplete: 'off' }), {
    hint: 'Seconds; empty: the mapper\u2019s own deadline',
    check: (text) => (text.trim() === '' || Number(text) > 0 ? null : 'A number of seconds is needed.'),
  });
  return new OrderForm([value, expires], 'Write', async () => {
    const body = { value: property.type === 'STRING' ? value.value : value.value.trim() };
    if (expires.value.trim()) body.expiresAfterSeconds = Number(expires.value);
    const { readBack } = await request(path, { method: 'PUT', body });
    frame.loadSoon();
    return [`Written: ${withUnit(body.value, property.unit)}`, ...readBack.map(readBackLine)];
  });
}

function methodForm(path, { name, arguments: names }, properties) {
  const fields = names.map((argument) => valueField(argument, properties.get(argument) ?? { type: 'STRING' }));
  return new OrderForm(fields, 'Call', async () => {
    const values = Object.fromEntries(names.map((argument, index) => [argument, fields[index].value]));
    const { results, readBack } = await request(`${path}/methods/${encodeURIComponent(name)}`, { method: 'POST', body: { arguments: values } });
    return ['Done.', ...results.map(({ value, type }) => `Result: ${withUnit(value)} (${type})`), ...readBack.map(readBackLine)];
  });
}

// ---- The frame: which view is shown, when it is loaded, and how old it is

/** The view of an address such as `#/devices/default/boiler?search=temp`. */
function route() {
  const [path, parameters = ''] = location.hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  let parts;
  try {
    parts = path.split('/').map(decodeURIComponent);
  } catch {
    parts = ['nowhere'];
  }
  return { path, parts, parameters: new URLSearchParams(parameters) };
}

function viewOf([first, ...rest]) {
  if (first === 'devices' || first === '') {
    const [namespace, name, part, property] = rest;
    if (rest.length === 0) return new DevicesView();
    if (rest.length === 2) return new PropertiesView([namespace, name]);
    if (rest.length === 3 && part === 'methods') return new MethodsView([namespace, name]);
    if (rest.length === 3 && part === 'explain') return new ExplainView([namespace, name]);
    if (rest.length === 4 && part === 'properties') return new PropertyView([namespace, name, property]);
  }
  if (first === 'sinks') return new SinksView();
  if (first === 'edgecore') return new EdgecoreView();
  if (first === 'problems') return new ProblemsView();
  return new NowhereView();
}

/** The least time between two drawings, and between two loads that events cause, in milliseconds; and how many events wait for a load. */
const [DRAW_PAUSE, LOAD_PAUSE, WAITING] = [200, 1000, 20000];

const frame = {
  view: null,
  path: null,
  mapper: null,
  /** The events that came while the view was being loaded; null while it is not. */
  waiting: null,
  again: false,
  loadedAt: 0,

  /** Shows what the address names. */
  show() {
    const { path, parts, parameters } = route();
    if (path === this.path) {
      this.view.asked(parameters);
      this.load();
      return;
    }
    const first = this.view === null;
    this.path = path;
    this.view = viewOf(parts);
    this.view.asked(parameters);
    byId('main').replaceChildren(this.view.root);
    for (const link of document.querySelectorAll('header nav a')) {
      if (link.hash === `#/${parts[0] || 'devices'}`) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    this.title();
    if (!first) {
      scrollTo(0, 0);
      this.view.h1.focus({ preventScroll: true });
    }
    this.waiting = null;
    this.draw();
    // Its `hello` has the view loaded: from then on no event is missed.
    stream.follow(this.view.filter);
  },

  /** Goes to an address that differs in its parameters only, without a step in the browser's history. */
  go(hash) {
    window.history.replaceState(null, '', hash);
    this.show();
  },

  title() {
    document.title = `${this.view.title} – ${this.mapper?.name ?? 'Mapper'}`;
  },

  /** Loads what is shown. What happens meanwhile is applied afterwards, so that nothing is overtaken by an older list. */
  async load() {
    if (this.waiting) {
      this.again = true;
      return;
    }
    const view = this.view;
    const waiting = [];
    this.waiting = waiting;
    this.again = false;
    this.loadedAt = performance.now();
    let error = null;
    try {
      const mapper = request('mapper').then((answer) => this.take(answer));
      const [loaded] = await Promise.allSettled([view.load(), mapper]);
      if (loaded.status === 'rejected') throw loaded.reason;
      await mapper;
      view.loaded = true;
    } catch (caught) {
      error = caught;
    }
    if (this.waiting !== waiting) return;
    this.waiting = null;
    this.trouble(error);
    view.root.classList.toggle('empty', !view.loaded);
    for (const [kind, data] of waiting) this.apply(kind, data);
    this.draw();
    if (this.again) this.loadSoon();
  },

  /** Loads what is shown, once for all that is asked for within a second. */
  loadSoon() {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.load();
    }, Math.max(0, this.loadedAt + LOAD_PAUSE - performance.now()));
  },

  take(mapper) {
    clock.ahead = Date.parse(mapper.now) - Date.now();
    this.version ??= mapper.frameworkVersion;
    byId('reload').hidden = this.version === mapper.frameworkVersion;
    this.mapper = mapper;
    setText(byId('mapper-name'), mapper.name);
    setText(byId('mapper-about'), mapper.version);
    setText(byId('problem-count'), mapper.problems ? `\u00a0(${count(mapper.problems)})` : '');
    this.title();
  },

  /** Shows why the view cannot be loaded, unless that it cannot be reached is shown already. */
  trouble(error) {
    const shown = error && (error instanceof Refusal || !this.view.loaded || stream.state === 'live');
    this.view.trouble.hidden = !shown;
    setText(this.view.trouble, shown ? error.message : '');
  },

  event(kind, data) {
    if (kind === 'hello') {
      if (!data.resumed || !this.view.loaded) {
        this.waiting = null;
        this.load();
      }
    } else if (kind === 'gap') {
      this.loadSoon();
    } else if (!this.waiting) {
      this.apply(kind, data);
    } else if (this.waiting.length < WAITING) {
      this.waiting.push([kind, data]);
    } else {
      this.again = true;
    }
  },

  apply(kind, data) {
    this.view.event(kind, data);
    this.draw();
  },

  /** Draws with the next frame, but not more often than somebody can read. */
  draw() {
    if (this.asked) return;
    this.asked = true;
    setTimeout(() => requestAnimationFrame(() => {
      this.asked = false;
      this.drawnAt = performance.now();
      this.view.draw();
    }), Math.max(0, (this.drawnAt ?? 0) + DRAW_PAUSE - performance.now()));
  },

  /** Shows whether the page is live, and if not, how old it is. The age is no part of the status: it would be read out each second. */
  link() {
    const marks = { connecting: ['Connecting', 'ring'], live: ['Live', 'disc'], stale: ['Not connected, trying again.', 'cross'] };
    const [word, shape] = marks[stream.state];
    setAttribute(byId('link'), 'data-link', stream.state);
    setAttribute(byId('link-shape'), 'href', `#${shape}`);
    setText(byId('link-word'), word);
    const silent = stream.heard === null ? 'Nothing has been received yet.' : `What is shown is ${duration((Date.now() - stream.heard) / 1000)} old.`;
    setText(byId('link-age'), stream.state === 'stale' ? silent : '');
    if (stream.state === 'stale' && !this.view.loaded) this.load();
  },

  tick() {
    this.link();
    if (this.mapper) {
      setText(byId('mapper-foot'), `Protocol ${this.mapper.protocol}, mapper-framework ${this.mapper.frameworkVersion}, running ${since(this.mapper.started)}.`);
    }
    this.draw();
    if (!document.hidden && stream.state === 'live' && performance.now() - this.loadedAt > this.view.every * 1000) this.load();
  },
};

const stream = new Stream({ event: (kind, data) => frame.event(kind, data), changed: () => frame.link() });

byId('skip').addEventListener('click', (event) => {
  event.preventDefault();
  byId('main').focus();
});
byId('reload').addEventListener('click', () => location.reload());
window.addEventListener('hashchange', () => frame.show());
window.addEventListener('online', () => stream.wake?.());
// A page that nobody sees holds no connection: browsers have six of them for one mapper, and keep pages that were left for a while.
function seen(isSeen) {
  stream.set('stale');
  if (isSeen) stream.resume();
  else stream.stop();
}
document.addEventListener('visibilitychange', () => seen(!document.hidden));
window.addEventListener('pagehide', () => seen(false));
window.addEventListener('pageshow', ({ persisted }) => persisted && seen(true));
setInterval(() => frame.tick(), 1000);
frame.show();
