"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const said = document.getElementById("said");

  // Pictures of a cell: without a script they open as popovers, with one as modal dialogs, which
  // keep the focus inside and give it back to the button.
  for (const button of all("[popovertarget]:not(.close)")) {
    const dialog = document.getElementById(button.getAttribute("popovertarget"));
    button.addEventListener("click", (event) => {
      event.preventDefault();
      dialog.showModal();
      dialog.scrollTop = 0;
    });
  }
  for (const dialog of all("dialog")) {
    dialog.querySelector(".close").addEventListener("click", (event) => {
      event.preventDefault();
      dialog.close();
    });
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close(); // beside it
    });
  }

  // One stop of the tab key for the whole matrix; the arrow keys go from number to number.
  for (const matrix of all(".matrix")) {
    const rows = all("tbody tr", matrix).map((row) => all(".cell", row).map((cell) => cell.querySelector("button")));
    const buttons = rows.flat().filter(Boolean);
    buttons.forEach((button, place) => { button.tabIndex = place ? -1 : 0; });
    const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
    const go = (button) => {
      for (const other of buttons) other.tabIndex = other === button ? 0 : -1;
      button.focus();
    };
    matrix.addEventListener("keydown", (event) => {
      const place = rows.findIndex((row) => row.includes(event.target));
      if (place < 0) return;
      if (event.key === "Home" || event.key === "End") {
        event.preventDefault();
        go(rows[place].filter(Boolean).at(event.key === "Home" ? 0 : -1));
        return;
      }
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      let [row, column] = [place + step[0], rows[place].indexOf(event.target) + step[1]];
      while (rows[row] && column >= 0 && column < rows[row].length) {
        if (rows[row][column]) { go(rows[row][column]); return; }
        row += step[0];
        column += step[1];
      }
    });
  }

  // Tables whose rows can be put in order by a click on a heading.
  for (const table of all("table.sortable")) {
    const body = table.tBodies[0];
    all("thead th", table).forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const rising = heading.getAttribute("aria-sort") !== "ascending";
        for (const other of all("thead th", table)) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
        const rank = (row) => {
          const cell = row.cells[column];
          return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
        };
        const compare = (a, b) => typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
        const rows = [...body.rows].sort((a, b) => compare(rank(a), rank(b)) * (rising ? 1 : -1));
        body.append(...rows);
      });
    });
  }

  for (const button of all(".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        said.textContent = "Copied";
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = "Copy"; }, 2000);
      } catch {
        getSelection().selectAllChildren(code); // to be copied by hand
        said.textContent = "Selected";
      }
    });
  }

  // On paper everything is open.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("details:not([open])");
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });
})();
