// The three things that pages cannot do without a script: the theme's switch, the margin on small screens, the search.
"use strict";
const root = document.documentElement;
const contents = document.getElementById("contents");

document.getElementById("theme").onclick = () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch (e) {}
};
document.getElementById("menu").onclick = () => contents.classList.toggle("open");

// The page one is on, in the margin.
const page = location.pathname.split("/").pop() || "index.html";
for (const link of contents.querySelectorAll("a"))
  if (link.getAttribute("href").split("/").pop() === page) link.setAttribute("aria-current", "page");

// A list of the page's own sections, where there are several.
const sections = [...document.querySelectorAll(".textblock > h1, .textblock > h2")];
if (sections.length > 2) {
  const list = document.createElement("ul");
  for (const section of sections) {
    const anchor = section.querySelector("a.anchor");
    if (!anchor) continue;
    const link = document.createElement("a");
    link.href = "#" + anchor.id;
    link.textContent = section.textContent.trim();
    const item = document.createElement("li");
    item.append(link);
    list.append(item);
  }
  const aside = document.createElement("aside");
  aside.className = "sections";
  aside.append("On this page", list);
  document.querySelector(".frame").append(aside);
}

// Search: every word must occur; names count more than texts, and their beginnings most.
const box = document.getElementById("search");
const found = document.getElementById("found");
const fold = (text) => text.toLowerCase().replaceAll("_", "");
let entries = null;
let chosen = -1;

function load() {
  if (entries) return;
  entries = (window.searchIndex || []).map(([type, name, url, text]) => {
    const bare = name.replace(/\(.*$/, "").split("::").pop();
    return { type, name, url, text, name_key: fold(name), bare_key: fold(bare), text_key: fold(text) };
  });
}
function score(entry, words) {
  let sum = entry.type === "page" ? 6 : entry.type === "class" || entry.type === "struct" ? 3 : 0;
  for (const word of words) {
    if (entry.bare_key === word) sum += 30;
    else if (entry.bare_key.startsWith(word)) sum += 15;
    else if (entry.name_key.includes(word)) sum += 8;
    else if (entry.text_key.includes(word)) sum += 1;
    else return 0;
  }
  return sum;
}
function excerpt(entry, word) {
  const at = entry.text.toLowerCase().indexOf(word);
  const from = Math.max(0, at - 30);
  return (from > 0 ? "…" : "") + entry.text.slice(from, from + 110);
}
function show() {
  load();
  const words = fold(box.value).split(/\s+/).filter(Boolean);
  found.replaceChildren();
  chosen = -1;
  found.hidden = words.length === 0;
  if (found.hidden) return;
  const hits = entries.map((entry) => [score(entry, words), entry]).filter(([s]) => s > 0);
  hits.sort((a, b) => b[0] - a[0] || a[1].name.length - b[1].name.length);
  for (const [, entry] of hits.slice(0, 12)) {
    const link = document.createElement("a");
    link.href = contents.dataset.root + entry.url;
    const name = document.createElement("b");
    name.textContent = entry.name;
    const kind = document.createElement("i");
    kind.textContent = entry.type === "page" ? "guide" : entry.type;
    const text = document.createElement("span");
    text.textContent = excerpt(entry, words[0]);
    link.append(name, kind, text);
    const item = document.createElement("li");
    item.append(link);
    found.append(item);
  }
  if (!hits.length) {
    const item = document.createElement("li");
    item.textContent = "Nothing found";
    found.append(item);
  }
}
function choose(step) {
  const links = [...found.querySelectorAll("a")];
  if (!links.length) return;
  chosen = (chosen + step + links.length) % links.length;
  links.forEach((link, i) => link.classList.toggle("chosen", i === chosen));
  links[chosen].scrollIntoView({ block: "nearest" });
}
box.oninput = show;
box.onfocus = show;
box.onkeydown = (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    choose(event.key === "ArrowDown" ? 1 : -1);
    event.preventDefault();
  } else if (event.key === "Enter") {
    const link = found.querySelectorAll("a")[Math.max(chosen, 0)];
    if (link) location.href = link.href;
  } else if (event.key === "Escape") {
    found.hidden = true;
    box.blur();
  }
};
document.addEventListener("click", (event) => {
  if (!event.target.closest(".search")) found.hidden = true;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== box) {
    box.focus();
    event.preventDefault();
  }
});
