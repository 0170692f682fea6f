// GraphiQL takes all of framer-motion for the one thing of dragging its tabs; native drag and drop does too.
import { createContext, use, useRef } from 'react';

const Drag = createContext(null);

function Group({ values, onReorder, axis: _axis, ...props }) {
  const dragged = useRef(null);
  const moveTo = value => {
    const rest = values.filter(item => item !== dragged.current);
    if (rest.length !== values.length - 1 || dragged.current === value) return;
    rest.splice(values.indexOf(value), 0, dragged.current);
    onReorder(rest);
  };
  return (
    <Drag value={{ dragged, moveTo }}>
      <ul {...props} />
    </Drag>
  );
}

function Item({ value, dragConstraints: _constraints, dragElastic: _elastic, ...props }) {
  const { dragged, moveTo } = use(Drag);
  return (
    <li
      draggable
      onDragStart={() => (dragged.current = value)}
      onDragEnd={() => (dragged.current = null)}
      onDragOver={event => dragged.current && event.preventDefault()}
      onDrop={() => moveTo(value)}
      {...props}
    />
  );
}

export const Reorder = { Group, Item };
