// The element that shows explanations of one picture: heat drawn over it as format_as_image
// draws it, and controls. Called once with the element's name, its style, and colour tables.
(function (name, css, tables) {
  "use strict";
  if (customElements.get(name)) return;

  const style = new CSSStyleSheet();
  style.replaceSync(css);

  // The longer side of a picture, in CSS pixels, where there is room.
  const LONGEST = 560;
  // A picture of one row of pixels is drawn as if it were this many times as wide as high.
  const FLATTEST = 20;
  const HINT = "Point at the picture, or focus it and use the arrow keys, to read its values.";

  const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
  // Pillow's filters: how many cells they reach, and their weight at a distance.
  const KERNELS = {
    bilinear: [1, (x) => 1 - x],
    hamming: [1, (x) => sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x))],
    bicubic: [2, (x) => (x < 1 ? (1.5 * x - 2.5) * x * x + 1 : ((2.5 - x / 2) * x - 4) * x + 2)],
    lanczos: [3, (x) => sinc(x) * sinc(x / 3)],
  };

  function bytes(base64) {
    return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  }

  async function inflated(base64) {
    try {
      const stream = new Blob([bytes(base64)]).stream();
      const whole = new Response(stream.pipeThrough(new DecompressionStream("deflate")));
      return new Uint8Array(await whole.arrayBuffer());
    } catch {
      // Browsers' own words are of networks.
      throw new Error("the browser is too old to unpack the heatmap, or its data are damaged");
    }
  }

  // For each of `size` pixels, the first of `count` cells it is made of, and their weights.
  function spread(count, size, kernel) {
    const step = count / size;
    const [reach, weight] = kernel || [0, null];
    const widened = Math.max(step, 1);
    return Array.from({ length: size }, (_, i) => {
      const centre = (i + 0.5) * step;
      if (!kernel) return [Math.min(Math.floor(centre), count - 1), [1]];
      const first = Math.max(Math.floor(centre - reach * widened + 0.5), 0);
      const end = Math.min(Math.floor(centre + reach * widened + 0.5), count);
      const weights = [];
      for (let j = first; j < end; j++) {
        const distance = Math.abs(j - centre + 0.5) / widened;
        weights.push(distance < reach ? weight(distance) : 0);
      }
      const sum = weights.reduce((a, b) => a + b, 0);
      return [first, weights.map((w) => w / sum)];
    });
  }

  // Heat is resampled, not its colours: between two cells lies a heat, not a mixture of paints.
  function resample(heat, [columns, rows], [width, height], kernel) {
    const across = spread(columns, width, kernel);
    const down = spread(rows, height, kernel);
    const wide = new Float32Array(rows * width);
    for (let row = 0; row < rows; row++) {
      for (let x = 0; x < width; x++) {
        const [first, weights] = across[x];
        let sum = 0;
        for (let j = 0; j < weights.length; j++) sum += weights[j] * heat[row * columns + first + j];
        wide[row * width + x] = sum;
      }
    }
    const shades = new Uint8ClampedArray(width * height);
    for (let y = 0; y < height; y++) {
      const [first, weights] = down[y];
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let j = 0; j < weights.length; j++) sum += weights[j] * wide[(first + j) * width + x];
        shades[y * width + x] = Math.floor(sum + 0.5);
      }
    }
    return shades;
  }

  function make(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(properties)) {
      if (key in made) made[key] = value;
      else made.setAttribute(key, value);
    }
    // Strings become text nodes: labels are data, whatever stands in them.
    made.append(...children);
    return made;
  }

  function drawn(tag, attributes) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  function distinct(values) {
    return [...new Set(values)];
  }

  class View extends HTMLElement {
    #data = null;
    #view = null;
    #target = null;
    #cell = null;
    #byKeys = false;
    #heats = new Map();
    #shades = null;
    #waiting = false;
    #watch = null;
    #parts = {};
    #look = {};

    constructor() {
      super();
      this.attachShadow({ mode: "open" }).adoptedStyleSheets = [style];
      this.#showWhatIsInside();
    }

    connectedCallback() {
      // JupyterLab takes arrows and letters for its cells, unless it is told not to.
      this.dataset.lmSuppressShortcuts = "true";
      if (Object.hasOwn(this, "data")) {
        // It was set before this class was known.
        const given = this.data;
        delete this.data;
        this.data = given;
      }
      if (!this.#data && !this.#read()) {
        // The parser has not come to the data yet, or a notebook has not put them in.
        const again = () => this.#data || this.#read();
        if (document.readyState !== "loading") setTimeout(again);
        else document.addEventListener("DOMContentLoaded", again, { once: true });
      }
      this.#followTheme();
    }

    disconnectedCallback() {
      this.#watch?.abort();
    }

    get data() {
      return this.#data;
    }

    set data(payload) {
      this.#data = payload;
      if (payload) this.#open(payload);
      else this.#showWhatIsInside();
    }

    // What is seen without scripts stays until there is something better.
    #showWhatIsInside(...before) {
      this.shadowRoot.replaceChildren(...before, make("slot"));
    }

    #fail(error) {
      const said = `This view cannot be drawn here: ${error.message}`;
      this.#showWhatIsInside(make("p", { className: "note", role: "status" }, said));
    }

    #read() {
      const source = this.querySelector(':scope > script[type="application/json"]');
      if (!source) return false;
      try {
        this.data = JSON.parse(source.textContent);
      } catch (error) {
        this.#fail(error);
      }
      return true;
    }

    async #open(payload) {
      const heats = new Map();
      try {
        const first = payload.views[0].targets[0];
        if (first?.heat) heats.set(first, await inflated(first.heat));
        // Other data may have been given meanwhile.
        if (payload !== this.#data) return;
        this.#heats = heats;
        this.#target = null;
        this.#build();
      } catch (error) {
        if (payload === this.#data) this.#fail(error);
      }
    }

    // Of hundreds of heatmaps few are ever looked at: each is unpacked when it is chosen.
    async #unpack(target) {
      const heats = this.#heats;
      try {
        heats.set(target, await inflated(target.heat));
        if (target === this.#target) this.#pick(target);
      } catch (error) {
        if (target === this.#target) this.#fail(error);
      }
    }

    get #heat() {
      return this.#heats.get(this.#target);
    }

    // Pages and notebooks say by the colour of their letters whether they are dark.
    #followTheme() {
      this.#watch = new AbortController();
      const { signal } = this.#watch;
      const look = () => {
        const probe = make("canvas", { width: 1, height: 1 }).getContext("2d");
        probe.fillStyle = getComputedStyle(this).color;
        probe.fillRect(0, 0, 1, 1);
        const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
        this.dataset.scheme = 0.3 * red + 0.59 * green + 0.11 * blue > 128 ? "dark" : "light";
      };
      look();
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", look, { signal });
      const observer = new MutationObserver(look);
      for (let around = this; (around = around.parentNode ?? around.host); ) {
        if (around instanceof Element) observer.observe(around, { attributes: true });
      }
      signal.addEventListener("abort", () => observer.disconnect());
    }

    #build() {
      const { alpha, colormap, filter, boxed, given, views, colours } = this.#data;
      const known = { ...tables, ...colours };
      this.#look = {
        alpha,
        threshold: 0,
        table: bytes(known[colormap]),
        smooth: filter in KERNELS,
        kernel: KERNELS[filter] || KERNELS.lanczos,
        box: boxed,
        given: true,
      };
      const parts = (this.#parts = {
        picture: make("img", { alt: "", decoding: "async" }),
        canvas: make("canvas"),
        lines: drawn("svg", { preserveAspectRatio: "none", "aria-hidden": "true" }),
        readout: make("p", { className: "readout" }, HINT),
        spoken: make("p", { className: "unseen", role: "status" }),
        bar: make("canvas", { width: 256, height: 1 }),
        most: make("span"),
        note: make("p", { className: "note" }),
        rows: make("tbody"),
        about: make("p"),
        estimator: make("bdi", { className: "estimator" }),
        where: make("span", { className: "where" }),
        layers: make("select"),
      });
      parts.frame = make("div", { className: "frame" }, parts.picture, parts.canvas, parts.lines);
      parts.scale = make(
        "div",
        { className: "scale", "aria-hidden": "true" },
        make("span", {}, "0"),
        parts.bar,
        parts.most,
      );
      parts.table = make(
        "table",
        {},
        make("caption", { className: "unseen" }, "Targets"),
        make(
          "thead",
          {},
          make(
            "tr",
            {},
            make("th", { scope: "col" }, "Target"),
            make("th", { scope: "col" }, "Score"),
            make("th", { scope: "col" }, "Probability"),
          ),
        ),
        parts.rows,
      );
      parts.details = make(
        "details",
        {},
        make("summary", {}, "About this explanation"),
        parts.about,
      );
      parts.controls = make(
        "div",
        { className: "controls" },
        this.#slider("Opacity", "alpha"),
        this.#slider("Threshold", "threshold"),
        this.#choice("Colormap", Object.keys(known), colormap, (chosen) => {
          this.#look.table = bytes(known[chosen]);
          this.#paint();
        }),
        this.#tick("Smooth", "smooth", () => this.#shade()),
        this.#tick("Box around the largest hot part", "box", () => this.#mark()),
        ...(given.length ? [this.#tick("Given boxes", "given", () => this.#mark())] : []),
      );
      parts.opacity = parts.controls.firstChild;
      parts.figure = make(
        "figure",
        {},
        make("figcaption", {}, parts.estimator, " ", parts.where),
        make(
          "div",
          { className: "sides" },
          make(
            "div",
            { className: "seen" },
            parts.frame,
            parts.scale,
            parts.readout,
            parts.spoken,
            parts.note,
          ),
          make(
            "div",
            { className: "panel" },
            ...this.#viewChoices(),
            make("div", { className: "targets" }, parts.table),
            parts.controls,
            parts.details,
          ),
        ),
      );
      this.#listen();
      this.#show(views[0]);
      this.shadowRoot.replaceChildren(parts.figure);
    }

    #slider(label, key) {
      const value = make("span", { "aria-hidden": "true" }, this.#look[key].toFixed(2));
      const input = make("input", { type: "range", min: 0, max: 1, step: 0.01 });
      input.value = this.#look[key];
      input.addEventListener("input", () => {
        this.#look[key] = Number(input.value);
        value.textContent = this.#look[key].toFixed(2);
        this.#paint();
      });
      return make("label", { className: "slider" }, make("span", {}, label), input, value);
    }

    #choice(label, names, chosen, then, select = make("select")) {
      select.replaceChildren(...names.map((one) => make("option", { value: one }, one)));
      select.value = chosen;
      select.addEventListener("change", () => then(select.value));
      return make("label", { className: "choice" }, make("span", {}, label), select);
    }

    #tick(label, key, then) {
      const input = make("input", { type: "checkbox", checked: this.#look[key] });
      input.addEventListener("change", () => {
        this.#look[key] = input.checked;
        then();
      });
      return make("label", { className: "tick" }, input, label);
    }

    // Method and layer, each where there is something to choose.
    #viewChoices() {
      const { views } = this.#data;
      const methods = distinct(views.map((view) => view.method));
      const shown = [];
      if (methods.length > 1) {
        shown.push(
          this.#choice("Method", methods, views[0].method, (method) => {
            const same = views.filter((view) => view.method === method);
            this.#show(same.find((view) => view.layer === this.#view.layer) || same[0]);
          }),
        );
      }
      if (views.some((one) => views.some((o) => o.method === one.method && o.layer !== one.layer))) {
        const layers = this.#parts.layers;
        const choose = (layer) =>
          this.#show(views.find((v) => v.method === this.#view.method && v.layer === layer));
        shown.push(this.#choice("Layer", [], "", choose, layers));
      }
      return shown.length ? [make("div", { className: "controls" }, ...shown)] : [];
    }

    #show(view) {
      const { views } = this.#data;
      const { figure, rows, note, estimator, where, about, details, table, layers } = this.#parts;
      // Two functions of one name are told apart by their places.
      const place = this.#view?.targets.indexOf(this.#target) ?? 0;
      const before = this.#target?.key;
      this.#view = view;
      figure.setAttribute("aria-label", `Explanation of ${view.estimator}`);
      const there = distinct(views.filter((v) => v.method === view.method).map((v) => v.layer));
      layers.replaceChildren(...there.map((layer) => make("option", { value: layer }, layer || "none")));
      layers.value = view.layer;
      estimator.textContent = view.estimator;
      where.replaceChildren(
        "explained by ",
        make("bdi", {}, view.method),
        ...(view.layer ? [" at ", make("bdi", {}, view.layer)] : []),
      );
      about.textContent = view.about;
      details.hidden = !view.about;
      note.textContent = view.note;
      table.hidden = !view.targets.length;
      rows.replaceChildren(...view.targets.map((target) => this.#row(target)));
      const same = [view.targets[place], ...view.targets].find((one) => one?.key === before);
      this.#pick(same || view.targets[0]);
    }

    #row(target) {
      const named = [make("bdi", {}, target.name)];
      if (target.unit) named.push(" ", make("bdi", { className: "unit" }, target.unit));
      const proba = make("td", {}, make("span", { className: "proba" }, target.proba ?? "–"));
      if (target.proba !== null) proba.style.setProperty("--share", Number(target.proba));
      const score = make("td", {}, target.score);
      if (this.#view.targets.length < 2) {
        const head = make("th", { scope: "row" }, ...named);
        return make("tr", {}, head, score, proba);
      }
      const radio = make("input", { type: "radio", name: "target" });
      radio.addEventListener("change", () => this.#pick(target));
      const label = make("label", {}, radio, make("span", {}, ...named));
      const row = make("tr", {}, make("th", { scope: "row" }, label), score, proba);
      row.addEventListener("click", (event) => {
        // A label clicks for itself, and who selects a number wants to copy it.
        if (!label.contains(event.target) && getSelection().type !== "Range") radio.click();
      });
      return row;
    }

    #pick(target) {
      const { frame, scale, readout, controls, note, most, picture } = this.#parts;
      this.#target = target ?? null;
      const at = this.#view.targets.indexOf(target);
      [...this.#parts.rows.children].forEach((row, i) => {
        row.classList.toggle("chosen", i === at);
        const radio = row.querySelector("input");
        if (radio) radio.checked = i === at;
      });
      const has = Boolean(target?.heat);
      for (const part of [frame, scale, readout, controls]) part.hidden = !has;
      frame.setAttribute("aria-busy", has && !this.#heat);
      if (!has) {
        note.textContent = this.#view.note || target?.note || "";
        this.#showPictureAlone();
        return;
      }
      note.textContent = target.note;
      if (!this.#heat) {
        this.#unpack(target);
        return;
      }
      const shown = this.#data.picture;
      picture.hidden = !shown;
      this.#parts.opacity.hidden = !shown;
      if (shown && picture.src !== shown.src) picture.src = shown.src;
      const [width, height] = this.#size();
      this.#fit(width, height);
      const [columns, rows] = target.cells;
      const grid = `${columns} by ${rows} cells`;
      // Screen readers leave an application its arrow keys.
      this.#name("application", `Heatmap of ${target.name}, ${grid}; arrow keys read them`);
      most.textContent = target.level < 1 ? `≥ ${target.level.toFixed(2)}` : "1";
      this.#point(null);
      this.#shade();
      this.#mark();
    }

    // What failed, or has no map of two axes, may have a picture all the same.
    #showPictureAlone() {
      const shown = this.#data.picture;
      if (!shown || !this.#view.note) return;
      const { frame, picture, canvas, lines } = this.#parts;
      frame.hidden = false;
      this.#name("img", "The picture, without a heatmap");
      picture.src = shown.src;
      canvas.width = canvas.height = 1;
      lines.replaceChildren();
      this.#fit(shown.width, shown.height);
    }

    #name(role, label) {
      const { frame } = this.#parts;
      frame.setAttribute("role", role);
      frame.setAttribute("aria-label", label);
      if (role === "application") frame.tabIndex = 0;
      else frame.removeAttribute("tabindex");
    }

    #fit(width, height) {
      const { frame, canvas, lines } = this.#parts;
      const longest = Math.max(width, height);
      const [across, down] = [width, height].map((side) => Math.max(side, longest / FLATTEST));
      frame.style.width = `${Math.round((across * LONGEST) / longest)}px`;
      frame.style.aspectRatio = `${across} / ${down}`;
      lines.setAttribute("viewBox", `0 0 ${width} ${height}`);
      canvas.width = width;
      canvas.height = height;
    }

    // Without a picture the heat itself is one, of whole pixels for each cell.
    #size() {
      const { picture } = this.#data;
      if (picture) return [picture.width, picture.height];
      const [columns, rows] = this.#target.cells;
      const enlarged = Math.max(1, Math.round(LONGEST / Math.max(columns, rows)));
      return [columns * enlarged, rows * enlarged];
    }

    #shade() {
      if (!this.#heat) return;
      const { cells } = this.#target;
      const { smooth, kernel } = this.#look;
      this.#shades = resample(this.#heat, cells, this.#size(), smooth ? kernel : null);
      this.#parts.canvas.classList.toggle("blocky", !smooth);
      this.#paint();
    }

    // However often a slider moves, the picture is painted once a frame.
    #paint() {
      if (this.#waiting) return;
      this.#waiting = true;
      requestAnimationFrame(() => {
        this.#waiting = false;
        if (this.#heat) this.#paintNow();
      });
    }

    #paintNow() {
      const { canvas, bar } = this.#parts;
      const { alpha, threshold, table } = this.#look;
      const { level } = this.#target;
      const over = Boolean(this.#data.picture);
      const colour = new Uint8ClampedArray(table);
      const plain = new Uint8ClampedArray(table);
      for (let shade = 0; shade < 256; shade++) {
        // What is drawn at full strength may be hotter than any threshold.
        const hot = shade === 255 || (shade / 255) * level >= threshold;
        const opacity = over ? Math.floor(alpha * table[4 * shade + 3]) : 255;
        colour[4 * shade + 3] = hot ? opacity : 0;
        plain[4 * shade + 3] = hot ? 255 : 0;
      }
      bar.getContext("2d").putImageData(new ImageData(plain, 256, 1), 0, 0);
      const paint = canvas.getContext("2d");
      const pixels = paint.createImageData(canvas.width, canvas.height);
      const lookup = new Uint32Array(colour.buffer);
      const words = new Uint32Array(pixels.data.buffer);
      for (let i = 0; i < words.length; i++) words[i] = lookup[this.#shades[i]];
      paint.putImageData(pixels, 0, 0);
    }

    // Boxes and the cell that is read: lines of the same breadth, however large the picture.
    #mark() {
      if (!this.#heat) return;
      const { lines, canvas } = this.#parts;
      const { given, size } = this.#data;
      const target = this.#target;
      const [across, down] = size || target.cells;
      const boxes = [
        ...(this.#look.box && target.box ? [[target.box, "box"]] : []),
        ...(this.#look.given ? given.map((box) => [box, "box given"]) : []),
      ];
      const [x, y] = [canvas.width / across, canvas.height / down];
      const shapes = boxes.map(([[left, top, right, bottom], kind]) => [
        [left * x, top * y, (right - left) * x, (bottom - top) * y],
        kind,
      ]);
      if (this.#cell) {
        const [columns, rows] = target.cells;
        const [width, height] = [canvas.width / columns, canvas.height / rows];
        const [column, row] = this.#cell;
        shapes.push([[column * width, row * height, width, height], "cell"]);
      }
      lines.replaceChildren(
        ...shapes.flatMap(([[left, top, width, height], kind]) =>
          ["under", "over"].map((layer) =>
            drawn("rect", { x: left, y: top, width, height, class: `${kind} ${layer}` }),
          ),
        ),
      );
    }

    #point(cell, aloud = false) {
      this.#cell = cell;
      this.#byKeys = aloud;
      const { readout, spoken } = this.#parts;
      if (!cell) {
        readout.textContent = HINT;
      } else {
        const { cells, level } = this.#target;
        const [columns, rows] = cells;
        const [column, row] = cell;
        const value = this.#heat[row * columns + column];
        const most = level < 1 && value === 255 ? "at least " : "";
        const text =
          `Heat ${most}${((value / 255) * level).toFixed(2)} in row ${row + 1}, ` +
          `column ${column + 1} of ${rows} × ${columns}`;
        readout.textContent = text;
        if (aloud) spoken.textContent = text;
      }
      this.#mark();
    }

    #listen() {
      const { frame } = this.#parts;
      const under = (event) => {
        if (!this.#heat) return;
        const { left, top, width, height } = frame.getBoundingClientRect();
        const [columns, rows] = this.#target.cells;
        const column = Math.floor(((event.clientX - left) / width) * columns);
        const row = Math.floor(((event.clientY - top) / height) * rows);
        if (column >= 0 && row >= 0 && column < columns && row < rows) this.#point([column, row]);
      };
      // Who reads by keys keeps the place when the pointer only passes.
      frame.addEventListener("pointermove", (event) => this.#byKeys || under(event));
      frame.addEventListener("pointerdown", under);
      frame.addEventListener("pointerleave", (event) => {
        // A finger leaves when it is lifted, and what it has pointed at is still to be read.
        const passes = this.#byKeys || event.pointerType !== "mouse";
        if (!passes && this.#heat) this.#point(null);
      });
      frame.addEventListener("focus", () => {
        // Not for a click, which says itself which cell is meant.
        if (frame.matches(":focus-visible") && this.#heat) this.#point(this.#hottest(), true);
      });
      frame.addEventListener("blur", () => this.#heat && this.#point(null));
      frame.addEventListener("keydown", (event) => this.#step(event));
    }

    #hottest() {
      const heat = this.#heat;
      const at = heat.indexOf(heat.reduce((a, b) => Math.max(a, b)));
      const columns = this.#target.cells[0];
      return [at % columns, Math.floor(at / columns)];
    }

    #step(event) {
      if (!this.#heat || event.altKey || event.ctrlKey || event.metaKey) return;
      const [columns, rows] = this.#target.cells;
      const [column, row] = this.#cell || this.#hottest();
      const far = event.shiftKey ? 10 : 1;
      const to = {
        ArrowLeft: [column - far, row],
        ArrowRight: [column + far, row],
        ArrowUp: [column, row - far],
        ArrowDown: [column, row + far],
        Home: [0, row],
        End: [columns - 1, row],
      }[event.key];
      if (!to) return;
      event.preventDefault();
      const within = (at, count) => Math.min(Math.max(at, 0), count - 1);
      this.#point([within(to[0], columns), within(to[1], rows)], true);
    }
  }

  customElements.define(name, View);
})
