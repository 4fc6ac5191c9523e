// A table that stays quick with thousands of rows: only those that can be seen are in the document, and the table says which
// of how many they are.

import {el, show} from "./dom.js";

const ROW = 44; // px, as in style.css
const SPARE = 12; // rows above and below what is seen
const ALL = 120; // up to so many rows, all are there

// columns: {title, cell(row) -> nodes, sort(row) -> text or number, className}; key(row) -> text.
export class Table {
  constructor({caption, columns, key, empty}) {
    Object.assign(this, {caption, columns, key, empty, rows: [], sortedBy: 0, descending: false, first: 0, last: 0});
    this.body = el("tbody");
    this.head = el("tr", {"aria-rowindex": 1}, columns.map((column, index) => this.header(column, index)));
    this.table = el("table", {class: "table"}, el("caption", {class: "hidden"}, caption), el("thead", {}, this.head), this.body);
    this.nothing = el("p", {class: "empty", hidden: true});
    this.node = el("div", {class: "card scroll", tabindex: 0, role: "group", "aria-label": caption}, this.table, this.nothing);
    this.onscroll = () => this.draw(false);
    addEventListener("scroll", this.onscroll, {passive: true});
    addEventListener("resize", this.onscroll, {passive: true});
  }

  header(column, index) {
    const cell = el("th", {scope: "col", class: column.className});
    if (!column.sort) return fill(cell, column.title);
    const sort = () => {
      this.descending = this.sortedBy === index && !this.descending;
      this.sortedBy = index;
      this.update(this.rows);
    };
    return fill(cell, el("button", {type: "button", class: "sort", onclick: sort}, column.title, el("span", {class: "arrow", "aria-hidden": "true"})));
  }

  update(rows) {
    const sort = this.columns[this.sortedBy].sort;
    const turn = this.descending ? -1 : 1;
    const named = rows.map((row) => [sort ? sort(row) : 0, row]);
    named.sort(([a], [b]) => turn * (typeof a === "number" ? a - b : collator.compare(a, b)));
    this.rows = named.map(([, row]) => row);
    [...this.head.children].forEach((cell, index) => {
      const order = this.descending ? "descending" : "ascending";
      if (index === this.sortedBy && this.columns[index].sort) cell.setAttribute("aria-sort", order);
      else cell.removeAttribute("aria-sort");
    });
    this.table.setAttribute("aria-rowcount", rows.length + 1);
    this.table.hidden = rows.length === 0;
    this.nothing.hidden = rows.length !== 0;
    show(this.nothing, this.empty());
    this.draw(true);
  }

  // Which rows are on the screen, or near it.
  range() {
    if (this.rows.length <= ALL) return [0, this.rows.length];
    const top = this.body.getBoundingClientRect().top;
    const first = Math.floor(-top / ROW) - SPARE;
    const last = Math.ceil((innerHeight - top) / ROW) + SPARE;
    const clamp = (index) => Math.min(Math.max(index, 0), this.rows.length);
    return [clamp(first), clamp(last)];
  }

  draw(anew) {
    if (!this.node.isConnected && !anew) return;
    const [first, last] = this.range();
    if (!anew && first === this.first && last === this.last) return;
    [this.first, this.last] = [first, last];
    const focused = this.focused();
    show(this.body, this.space(first), this.rows.slice(first, last).map((row, index) => this.row(row, first + index)),
      this.space(this.rows.length - last));
    this.focusAgain(focused);
  }

  row(row, index) {
    return el("tr", {"aria-rowindex": index + 2, "data-key": this.key(row)},
      this.columns.map((column, at) => el(at === 0 ? "th" : "td", {scope: at === 0 ? "row" : null, class: column.className}, column.cell(row))));
  }

  space(rows) {
    if (rows <= 0) return null;
    const cell = el("td", {colspan: this.columns.length});
    cell.style.height = `${rows * ROW}px`;
    return el("tr", {class: "space", "aria-hidden": "true"}, cell);
  }

  // Where the keyboard is, in the new rows as in those that they replace.
  focused() {
    const active = document.activeElement;
    const row = this.body.contains(active) ? active.closest("tr") : null;
    return row && {key: row.dataset.key, control: [...row.querySelectorAll("button")].indexOf(active)};
  }

  focusAgain(focused) {
    if (!focused) return;
    const row = [...this.body.rows].find((one) => one.dataset.key === focused.key);
    row?.querySelectorAll("button")[focused.control]?.focus({preventScroll: true});
  }
}

const collator = new Intl.Collator("en", {numeric: true, sensitivity: "base"});

function fill(cell, ...children) {
  cell.append(...children);
  return cell;
}
