// Sorts and filters the items that are in the page, and opens one to look at closer.
(() => {
  "use strict";
  const find = (selector, within = document) => within.querySelector(selector);
  const list = find(".items"), form = find(".controls"), shown = find(".shown", form);
  const nothing = find(".nothing"), dialog = find(".closer");
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const counted = new Intl.NumberFormat("en");
  const fields = ["search", "label", "outcome", "least", "most", "sort", "order"];

  const number = (text) => {
    const value = text?.trim() ? Number(text.replace(/inf$/, "Infinity")) : NaN;
    return Number.isNaN(value) ? null : value;
  };
  const text = (item, selector) => find(selector, item)?.textContent ?? null;
  // Failed comes first, then what is wrong, then what points elsewhere; what nothing is known
  // of has no rank.
  const rank = (outcomes) =>
    outcomes.includes("failed") ? -1
      : outcomes.length > 1 ? 2 * outcomes.includes("right") + outcomes.includes("hit") : null;

  const items = Array.from(list.children, (item) => {
    const { score, proba, overlap, outcomes } = item.dataset;
    const name = text(item, ".name"), label = text(item, ".label");
    const told = outcomes.split(" ");
    return {
      item, name, label, outcomes: told, outcome: rank(told),
      score: number(score), proba: number(proba), overlap: number(overlap),
      words: [name, label, text(item, ".truth bdi")].join("\n").toLocaleLowerCase(),
    };
  });
  const measure = form.dataset.measure;

  // Looking closer ----------------------------------------------------------------------------
  const opener = (one) => find(".picture button", one.item);
  const after = (one, step) => {
    const there = listed.filter(opener);
    return there[there.indexOf(one) + step];
  };
  let listed = items, open = null;

  const dataOf = (one) =>
    document.getElementById(one.item.id.replace("item", "details"));

  // What is set for one picture (opacity, colormap, …) goes for the next: each control of the
  // new view is set as the one of the same name was.
  const settings = (view) => new Map(Array.from(
    view.shadowRoot.querySelectorAll(".controls label"),
    (label) => [find("input, select", label), find("span", label)?.textContent ?? label.textContent]
  ).filter(([control]) => control).map(([control, name]) => [name, control]));
  let set = new Map();
  function keepLook(before, view) {
    const last = before ? settings(before) : new Map();
    if (last.size || !before) set = last;  // a view that was passed by was never built
    const built = new MutationObserver(() => {
      const controls = settings(view);
      if (!controls.size) return;
      built.disconnect();
      for (const [name, control] of controls) {
        const as = set.get(name), kind = control.type === "checkbox" ? "checked" : "value";
        if (!as || as[kind] === control[kind]) continue;
        control[kind] = as[kind];
        control.dispatchEvent(new Event("input", { bubbles: true }));
        control.dispatchEvent(new Event("change", { bubbles: true }));
      }
    });
    built.observe(view.shadowRoot, { childList: true });
  }

  function look(one) {
    const data = dataOf(one);
    if (!data) {  // it stands at the end of the page, which is still being read
      addEventListener("DOMContentLoaded", () => dataOf(one) && look(one), { once: true });
      return;
    }
    open = one;
    const title = document.createElement("bdi");
    title.textContent = one.name;
    find("h2", dialog).replaceChildren(title);
    const truth = find(".truth", one.item);
    find(".truth", dialog).replaceChildren(...(truth ? truth.cloneNode(true).childNodes : []));
    const view = document.createElement(form.dataset.view);
    keepLook(find(form.dataset.view, dialog), view);
    view.data = JSON.parse(data.textContent);
    find(".view", dialog).replaceChildren(view);
    find(".previous", dialog).disabled = !after(one, -1);
    find(".next", dialog).disabled = !after(one, 1);
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  }
  const step = (by) => {
    const one = after(open, by);
    if (!one) return;
    look(one);
    const pressed = find(by < 0 ? ".previous" : ".next", dialog);
    if (pressed.disabled) find(".close", dialog).focus();
  };
  find(".previous", dialog).addEventListener("click", () => step(-1));
  find(".next", dialog).addEventListener("click", () => step(1));
  // The browser would go back to the picture that was opened first.
  const leave = () => {
    dialog.close();
    opener(open)?.focus();
  };
  find(".close", dialog).addEventListener("click", leave);
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    leave();
  });
  // Beside it, on the backdrop, and from the first: text is selected beyond the edge, too.
  const beside = ({ target, clientX, clientY }) => {
    const { left, top, right, bottom } = dialog.getBoundingClientRect();
    return target === dialog
      && (clientX < left || clientX > right || clientY < top || clientY > bottom);
  };
  let begunBeside = false;
  dialog.addEventListener("pointerdown", (event) => { begunBeside = beside(event); });
  dialog.addEventListener("click", (event) => {
    if (begunBeside && beside(event)) leave();
  });
  dialog.addEventListener("close", () => find(".view", dialog).replaceChildren());
  for (const one of items) {
    if (one.label === null) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `Look closer at ${one.name}`);
    button.setAttribute("aria-haspopup", "dialog");
    const well = find(".picture", one.item);
    button.append(...well.childNodes);
    well.append(button);
    button.addEventListener("click", () => look(one));
  }
  // Arrows go from picture to picture, as a reader's eye does.
  list.addEventListener("keydown", (event) => {
    const from = items.find((one) => opener(one) === event.target);
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!from || !by || event.altKey || event.ctrlKey || event.metaKey) return;
    const one = after(from, by);
    if (one) {
      event.preventDefault();
      opener(one).focus();
    }
  });

  // Sorting and filtering ---------------------------------------------------------------------
  const asked = () => Object.fromEntries(
    fields.map((name) => [name, form.elements[name]?.value ?? ""]));

  function fits(one, { words, label, outcome, least, most }) {
    const value = one[measure];
    return words.every((word) => one.words.includes(word))
      && (!label || one.label === label)
      && (!outcome || one.outcomes.includes(outcome))
      && (least === null || (value !== null && value >= least))
      && (most === null || (value !== null && value <= most));
  }

  function sorted({ sort, order }) {
    if (!sort) return order ? items.toReversed() : items;
    const way = order ? -1 : 1;
    return items.toSorted((one, other) => {
      const a = one[sort], b = other[sort];
      if (a === null || b === null) return (a === null) - (b === null);  // at the end, both ways
      return way * (typeof a === "string" ? collator.compare(a, b) : a - b);
    });
  }

  function apply() {
    const question = asked();
    const wanted = {
      ...question,
      words: question.search.toLocaleLowerCase().split(/\s+/).filter(Boolean),
      least: number(question.least), most: number(question.most),
    };
    const now = sorted(question).filter((one) => fits(one, wanted));
    if (now.length !== listed.length || now.some((one, place) => one !== listed[place])) {
      // Taken out of the page: to hide hundreds of items takes browsers ten times as long.
      list.replaceChildren(...now.map((one) => one.item));
      listed = now;
    }
    nothing.hidden = now.length > 0;
    shown.textContent = `${counted.format(now.length)} of ${counted.format(items.length)} shown`;
  }

  // The question is kept in the address, so that it can be passed on.
  function remember() {
    const kept = Object.entries(asked()).filter(([, value]) => value !== "");
    const hash = new URLSearchParams(kept).toString();
    try {
      history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
    } catch { /* in frames that may not */ }
  }
  function ask(kept) {
    for (const name of fields) {
      const field = form.elements[name];
      if (!field) continue;
      field.value = kept.get(name) ?? "";
      if (field.selectedIndex === -1) field.value = "";  // what this report does not have
    }
    apply();
  }
  const recall = () => ask(new URLSearchParams(location.hash.slice(1)));
  const changed = () => { apply(); remember(); };
  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    ask(new URLSearchParams());
    remember();
  });
  find("button", nothing).addEventListener("click", () => {
    form.reset();
    form.elements.search.focus();
  });
  addEventListener("hashchange", recall);
  // On a phone all that can be asked would fill the screen: it is folded away.
  const narrow = matchMedia("(max-width: 30rem)"), more = find(".more");
  const fold = () => { more.open = !narrow.matches; };
  narrow.addEventListener("change", fold);
  fold();
  form.hidden = false;
  recall();
})();
