// The demo's page: two sides, each somebody's bell and a form that notifies them through the API.
import "/bell.js";

const NOTIFY = `mutation Notify($recipient: ID!, $title: String!, $key: String!) {
  notify(
    input: {
      recipients: [{ id: $recipient }]
      type: "demo.note"
      category: "note"
      title: $title
      body: "You sent this from the demo's page. **Only you** were told."
    }
    idempotencyKey: $key
  ) {
    created
  }
}`;
const IDEAS = ["The build is green again", "Grace asked for your review", "Invoice 17 is due tomorrow", "Version 2.0 is out"];
const template = document.querySelector("#side");

async function notify(sender, recipient, title) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${sender}` },
    body: JSON.stringify({ query: NOTIFY, variables: { recipient, title, key: crypto.randomUUID() } }),
  });
  const { errors } = await response.json();
  if (errors) throw new Error(errors[0].message);
}

class Side {
  constructor(tenants, start, idea) {
    this.tenants = tenants;
    this.root = template.content.firstElementChild.cloneNode(true);
    [this.bell, this.who, this.form, this.unread, this.heard] = ["tocsin-bell", ".who", "form", ".unread", ".heard"].map((it) =>
      this.root.querySelector(it),
    );
    this.form.title.value = idea;
    for (const { tenant, people } of tenants) {
      const group = Object.assign(document.createElement("optgroup"), { label: tenant });
      group.append(...people.map(({ id, name }) => new Option(name, `${tenant}/${id}`)));
      this.who.append(group);
    }
    this.who.value = start;
    this.who.addEventListener("change", () => this.become());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.bell.addEventListener("tocsin-unread", ({ detail }) => this.hear(detail.unread));
    this.become();
  }

  become() {
    const [tenant, id] = this.who.value.split("/");
    const { people, sender } = this.tenants.find((it) => it.tenant === tenant);
    this.me = { ...people.find((it) => it.id === id), sender };
    this.root.dataset.tenant = tenant;
    this.root.querySelector("h2").textContent = tenant;
    this.before = undefined;
    this.unread.textContent = "–";
    this.heard.textContent = "nothing";
    this.bell.token = this.me.token;
  }

  async send() {
    this.sent = performance.now();
    try {
      await notify(this.me.sender, this.me.id, this.form.title.value);
    } catch (error) {
      this.sent = undefined;
      this.heard.textContent = `It was not sent: ${error.message}`;
    }
    this.form.title.value = IDEAS[Math.floor(Math.random() * IDEAS.length)];
  }

  /** The first count is no news. */
  hear(unread) {
    if (this.before !== undefined && unread > this.before) {
      const after = this.sent ? `, ${Math.round(performance.now() - this.sent)} ms after you sent it` : "";
      this.heard.textContent = `${this.before} became ${unread} at ${new Date().toLocaleTimeString()}${after}`;
      this.sent = undefined;
    }
    this.before = unread;
    this.unread.textContent = unread;
  }
}

function toggle(id, apply) {
  const button = document.querySelector(id);
  button.addEventListener("click", () => {
    const on = button.ariaPressed !== "true";
    button.ariaPressed = on;
    apply(on);
  });
}

const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
document.querySelector("#theme").ariaPressed = dark;
toggle("#theme", (on) => {
  root.dataset.theme = on ? "dark" : "light";
});
toggle("#direction", (on) => {
  root.dir = on ? "rtl" : "ltr";
});

const response = await fetch("/demo/tenants.json");
const sides = document.querySelector(".sides");
if (response.ok) {
  const tenants = await response.json();
  const left = new Side(tenants, "strawberry/grace", IDEAS[0]);
  const right = new Side(tenants, "graphql-ws/ken", IDEAS[1]);
  sides.append(left.root, right.root);
} else sides.textContent = "Open this page as http://127.0.0.1 or http://localhost, with the port that `tocsin dev` printed.";
