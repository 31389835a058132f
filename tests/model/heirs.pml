/*
 * heirs.pml: an ordered list of heirs (PROTOCOL.md, step 15), for the SPIN model checker.
 *
 * One object. O owns it at first, and its host names the others its heirs, in their order; K borrows it, and its node
 * has a copy. One heir is prepared at a time; when it is lost, the next one is named, and whoever inherits goes on with
 * the list. What a snapshot holds, and who waits for it, is in transfer.pml. Each step is one turn of one process, and
 * the checker tries every order of turns. Sessions, membership and crashes are as in transfer.pml.
 *
 * What is checked: S3, S5 and S6 at each step, who is named, and a clean world in every end state. README.md says what
 * that is and what is left out. run.sh says with which parameters it runs.
 *
 * Every set of processes is a bit mask. "Hidden" variables are scratch and not part of the state.
 */

/* ---- Parameters (all may be given as -D to spin) --------------------------------------------------------- */

#ifndef HEIRS
#define HEIRS 2             /* that are named; at most 3 */
#endif
#ifndef EXCLUSIONS
#define EXCLUSIONS 1        /* crashes and false suspicions together, of anybody but K */
#endif
#ifndef CAPACITY
#define CAPACITY 6          /* items in flight per session; running over is reported as an error */
#endif
/*
 * KEPT            K and the host of O hold the object for ever.
 * NO_DISMISSAL    no host dismisses anybody.
 * SUSPICION       an exclusion may also hit a live process, which works on until it reads its view.
 *
 * Rules removed, each of which must make the checker find a failure:
 * NO_ONE_AT_A_TIME       the next one is named although there is an heir
 * NO_WAIT_FOR_DISMISSAL  ... as soon as the heir has asked to leave
 * NO_NEXT                ... never
 * NO_PASSING_OVER        one that is excluded is not passed over
 * NO_LIST_IN_SNAPSHOT    the heir does not hear who comes after it
 * NO_GOING_ON            ... and does not go on when everybody knows who owns the object
 * NO_SECOND_LOOK         who is named is whom a notice has said, whatever has been done since
 * NO_INHERITING          the heir does nothing when the owner dies
 * NO_WAIT_FOR_ANSWERS    Flushed is reported although not everybody has been told
 * NO_END                 the heir does not hear of the end of the object
 *
 * Removed as well, but not seen to fail in the rows of run.sh:
 * NO_WAIT_FOR_TOLD       whoever inherits goes on at once. The harm is that of a transfer that may be taken back.
 */

/* ---- Sets and lists -------------------------------------------------------------------------------------- */

#define O 0
#define PROCESSES (HEIRS + 1)       /* O and the heirs, which are numbered in their order */
#define K PROCESSES
#define N (PROCESSES + 1)
#define NOBODY 7
#define EVERYONE ((1 << N) - 1)
#define NAMED (((1 << HEIRS) - 1) << 1)
#define ONE(i) (1 << (i))
#define HAS(set, i) (((set) >> (i)) & 1)
#define ADD(set, i) set = (set) | ONE(i)
#define DEL(set, i) set = (set) & ~ONE(i)

/* A list is a number with a digit for each heir; O is in none. */
#define FIRST(list) ((list) % 4)
#define REST(list) ((list) / 4)
#if HEIRS > 2
#define ALL_IN_ORDER (1 + 4 * 2 + 16 * 3)
#else
#define ALL_IN_ORDER (1 + 4 * 2)
#endif

/* ---- What a process knows -------------------------------------------------------------------------------- */

byte owned;                 /* set of processes */
byte term[PROCESSES];       /* of an owner; of an heir, its owner's */
byte heir[PROCESSES];       /* of an owner */
byte prepared, ending;      /* sets of owners: the heir has answered; was dismissed and has not */
byte list[PROCESSES];       /* who comes after it */
byte notices[PROCESSES];    /* set of those whom the runtime is to name */
byte listed;                /* set of owners that list K */
byte former[PROCESSES];     /* who hears of the end of the object */
byte telling[PROCESSES];    /* who has not answered Moved */
byte awaited[PROCESSES];    /* dead owners, until whose barriers the heir holds the object */
byte heir_of[PROCESSES];    /* NOBODY: it is none */
byte snap_list[PROCESSES], snap_former[PROCESSES];
byte leaves;                /* set of processes that are about to leave */

#define OWNED(p) HAS(owned, p)
#define IS_HEIR(p) (heir_of[p] != NOBODY)
#ifdef NO_WAIT_FOR_TOLD
#define IS_MOVING(p) false
#else
#define IS_MOVING(p) (telling[p] != 0 || awaited[p] != 0)
#endif

bool held = true;           /* the host of O has a handle */
bool named;                 /* the heirs have been */

/* Of K: */
bool holds = true, copy = true;
byte k_owner, k_term = 1;

/* ---- Membership: as in transfer.pml ---------------------------------------------------------------------- */

#define VIEW(v) ((v) + 1)
#define BARRIER(v) ((v) + 16)
byte stream[2 * EXCLUSIONS], streamed;
byte views, excludes[EXCLUSIONS];
byte reported, excluded, closed, stopped, faults;
byte position[N], fenced[N];

/* ---- For the oracle -------------------------------------------------------------------------------------- */

byte promised;              /* set of heirs that were prepared when their owner died */
byte tried;                 /* set of those who have been named */
byte dismissed;             /* set of owners whose hosts want no heir any more */

/* ---- Sessions -------------------------------------------------------------------------------------------- */

#define SHADOW 1            /* the list; the owners before */
#define SHADOW_ACK 2        /* KEPT_IT, REFUSED, LEAVES or DISMISSED */
#define SHADOW_END 3
#define MOVED 4
#define MOVED_ACK 5         /* whether it holds */
#define RELEASE 6
#define FREE 7
#define MOVED_ENDED 8
#define REFUSED 0
#define KEPT_IT 1
#define LEAVES 2
#define DISMISSED 3
chan session[N * (N - 1)] = [CAPACITY] of { byte, byte, byte, byte };  /* kind, term of the owner */
#define SESSION(a, z) session[(a) * (N - 1) + ((z) > (a) -> (z) - 1 : (z))]

/* ---- Scratch --------------------------------------------------------------------------------------------- */

hidden byte kind, it, value, more, event, what, arg, x, k, gone_ids;

/* What the checker prints when an assert fails is the name of one of these. */
hidden byte S3_the_prepared_heir_takes_over;
hidden byte S5_one_active_owner;
hidden byte S6_no_copy_deleted_under_a_living_owner;
hidden byte S7_nothing_from_an_excluded_id_is_applied;
hidden byte list_names_nobody_twice;
hidden byte list_ends_with_a_dismissal;
hidden byte session_capacity_suffices;
hidden byte end_every_barrier_closed, end_object_gone, end_no_copy_left, end_heirship_ended, end_list_exhausted;

#define CHECK(name, truth) name = (truth); assert(name)
/* Restates a rule: off where another rule is removed, whose harm is looked for. */
#if defined(NO_ONE_AT_A_TIME) || defined(NO_WAIT_FOR_DISMISSAL)
#define CHECK_RULE(name, truth) skip
#else
#define CHECK_RULE(name, truth) CHECK(name, truth)
#endif
#define WORKING(p) (!HAS(stopped, p))
#define TRUSTED(p) (!HAS(stopped | excluded, p))
#define OWNERS (owned & ~(stopped | excluded))

/* ---- Turns ------------------------------------------------------------------------------------------------ */

/* As in transfer.pml: a choice of what is done, with an argument, and then the deed. */
#define DELIVER 1           /* from arg */
#define REFUSE 2            /* ... a Shadow, which is refused */
#define NAMES 3             /* all heirs */
#define NAMES_NEXT 4        /* arg, as a notice says */
#define DISMISSES 5
#define ASKS_TO_LEAVE 6
#define DROPS 7
#define ENDS 8
#define READ 9
#define CRASHES 10

/* ---- Pieces of a turn ------------------------------------------------------------------------------------ */

inline send(a, z, what_kind, tm, vl, mr) {
  if
  :: HAS(stopped, z) || HAS(fenced[a], z) || HAS(fenced[z], a) -> skip
  :: else ->
    CHECK(session_capacity_suffices, len(SESSION(a, z)) < CAPACITY);
    SESSION(a, z) ! what_kind, tm, vl, mr
  fi
}

/* Whoever was excluded meanwhile is passed over. */
inline drop_the_dead(p) {
#ifndef NO_PASSING_OVER
  do
  :: list[p] != 0 && HAS(fenced[p], FIRST(list[p])) -> list[p] = REST(list[p])
  :: else -> break
  od
#else
  skip
#endif
}

/* A notice says who is next. */
inline end_heirship(p) {
  heir[p] = NOBODY;
  DEL(prepared, p); DEL(ending, p);
#ifndef NO_NEXT
  drop_the_dead(p);
  if :: list[p] != 0 -> ADD(notices[p], FIRST(list[p])) :: else -> skip fi
#endif
}

inline name_heir(p, z) {
  printf("%d: names %d the heir\n", p, z);
  CHECK_RULE(list_names_nobody_twice, !HAS(tried, z));
  CHECK(list_ends_with_a_dismissal, !HAS(dismissed, p));
  ADD(tried, z);
  heir[p] = z;
  DEL(prepared, p); DEL(ending, p);
#ifdef NO_LIST_IN_SNAPSHOT
  send(p, z, SHADOW, term[p], 0, former[p] & ~ONE(z));
#else
  send(p, z, SHADOW, term[p], list[p], former[p] & ~ONE(z));
#endif
  ADD(former[p], z)
}

/* The host, or the end of the object, may have been quicker than the notice. */
#ifdef NO_SECOND_LOOK
#define IS_NEXT(p, z) (OWNED(p) && heir[p] == NOBODY)
#else
#ifdef NO_ONE_AT_A_TIME
#define IS_NEXT(p, z) (OWNED(p) && FIRST(list[p]) == z)
#else
#define IS_NEXT(p, z) (OWNED(p) && FIRST(list[p]) == z && heir[p] == NOBODY)
#endif
#endif

inline name_next(p, z) {
  DEL(notices[p], z);
  if
  :: !IS_NEXT(p, z) -> skip
  :: IS_NEXT(p, z) && HAS(fenced[p], z) ->
#ifndef NO_PASSING_OVER
    list[p] = REST(list[p]);
    drop_the_dead(p);
    if :: list[p] != 0 -> ADD(notices[p], FIRST(list[p])) :: else -> skip fi
#endif
  :: IS_NEXT(p, z) && !HAS(fenced[p], z) && !IS_MOVING(p) -> list[p] = REST(list[p]); name_heir(p, z)
  :: else -> skip                       /* a notice comes when it is not moving any more */
  fi
}

inline may_go_on(p) {
#ifndef NO_GOING_ON
  if
  :: OWNED(p) && list[p] != 0 && heir[p] == NOBODY && !IS_MOVING(p) -> ADD(notices[p], FIRST(list[p]))
  :: else -> skip
  fi
#else
  skip
#endif
}

inline dismiss(p) {
  if
  :: heir[p] != NOBODY && !HAS(ending, p) ->
    ADD(ending, p);
    DEL(promised, heir[p]);             /* also by one that is excluded and has not read so */
    send(p, heir[p], SHADOW_END, term[p], 0, 0)
  :: else -> skip
  fi
}

inline forget_owner(p) {
  heir_of[p] = NOBODY; snap_list[p] = 0; snap_former[p] = 0
}

/* The owner is excluded: the heir owns the object, in the term after. */
inline inherit(p) {
  printf("%d: inherits\n", p);
  ADD(owned, p); ADD(listed, p);
  term[p]++;
  ADD(awaited[p], heir_of[p]);
  former[p] = snap_former[p] & ~fenced[p];
  telling[p] = former[p] | ONE(K);
  list[p] = snap_list[p];
  forget_owner(p);
  for (k : 0 .. K) {
    if :: HAS(telling[p], k) -> send(p, k, MOVED, term[p], 0, 0) :: else -> skip fi
  }
}

/* Nobody holds it any more. */
inline end_object(p) {
  printf("%d: the object ends\n", p);
  send(p, K, FREE, term[p], 0, 0);
#ifndef NO_END
  for (k : 0 .. HEIRS) {
    if :: k != p && HAS(former[p], k) -> send(p, k, MOVED_ENDED, term[p], 0, 0) :: else -> skip fi
  }
#endif
  DEL(owned, p); DEL(prepared, p); DEL(ending, p);
  term[p] = 0; heir[p] = NOBODY; list[p] = 0; former[p] = 0
}

/* p dies, or is excluded: who is promised to take over? */
inline promise(p) {
  if
  :: OWNED(p) && HAS(prepared, p) && !HAS(ending, p) -> ADD(promised, heir[p])
  :: else -> skip
  fi
}

inline stop(p) {
  if :: !HAS(excluded, p) -> promise(p) :: else -> skip fi;
  ADD(stopped, p);
  position[p] = 0; fenced[p] = 0;
  DEL(owned, p); DEL(prepared, p); DEL(ending, p); DEL(listed, p); DEL(leaves, p);
  term[p] = 0; heir[p] = NOBODY; list[p] = 0; notices[p] = 0; former[p] = 0; telling[p] = 0; awaited[p] = 0;
  forget_owner(p);
  if :: p == O -> held = false :: else -> skip fi;
  for (k : 0 .. K) {
    if
    :: k != p ->
      do
      :: len(SESSION(k, p)) > 0 -> SESSION(k, p) ? kind, it, value, more
      :: else -> break
      od
    :: else -> skip
    fi
  }
}

/* ---- An item reaches p from q, or K from q --------------------------------------------------------------- */

inline tell_item(p, q) {
  if
  :: kind == SHADOW && what != REFUSE -> printf("%d: gets Shadow from %d, term %d\n", p, q, it)
  :: kind == SHADOW && what == REFUSE -> printf("%d: gets Shadow from %d, and refuses\n", p, q)
  :: kind == SHADOW_ACK && value == REFUSED -> printf("%d: gets ShadowAck(Refused) from %d\n", p, q)
  :: kind == SHADOW_ACK && value == KEPT_IT -> printf("%d: gets ShadowAck(Kept) from %d\n", p, q)
  :: kind == SHADOW_ACK && value == LEAVES -> printf("%d: gets ShadowAck(Draining) from %d\n", p, q)
  :: kind == SHADOW_ACK && value == DISMISSED -> printf("%d: gets ShadowAck(Ended) from %d\n", p, q)
  :: kind == SHADOW_END -> printf("%d: gets ShadowEnd from %d\n", p, q)
  :: kind == MOVED -> printf("%d: gets Moved from %d, term %d\n", p, q, it)
  :: kind == MOVED_ACK -> printf("%d: gets MovedAck(%d) from %d\n", p, value, q)
  :: kind == RELEASE -> printf("%d: gets Release from %d\n", p, q)
  :: kind == FREE -> printf("%d: gets Free from %d\n", p, q)
  :: kind == MOVED_ENDED -> printf("%d: gets MovedEnded from %d\n", p, q)
  fi
}

inline receive(p, q) {
  SESSION(q, p) ? kind, it, value, more;
  tell_item(p, q);
  CHECK(S7_nothing_from_an_excluded_id_is_applied, !HAS(fenced[p], q))
}

inline apply_shadow_ack(p, q) {
  if
  :: !OWNED(p) || heir[p] != q || it != term[p] || (value == DISMISSED) != HAS(ending, p) -> skip
  :: else ->
    if
    :: value == KEPT_IT -> ADD(prepared, p)
    :: value == LEAVES ->
#ifdef NO_WAIT_FOR_DISMISSAL
      dismiss(p);
      end_heirship(p)
#else
      dismiss(p)
#endif
    :: else ->
      if :: value == REFUSED -> DEL(former[p], q) :: else -> skip fi;
      end_heirship(p)
    fi
  fi
}

inline apply(p, q) {
  if
  :: kind == SHADOW ->
    if
    :: what == REFUSE || HAS(leaves, p) || OWNED(p) || IS_HEIR(p) -> send(p, q, SHADOW_ACK, it, REFUSED, 0)
    :: else ->
      heir_of[p] = q; term[p] = it; snap_list[p] = value; snap_former[p] = more;
      send(p, q, SHADOW_ACK, it, KEPT_IT, 0)
    fi
  :: kind == SHADOW_ACK -> apply_shadow_ack(p, q)
  :: kind == SHADOW_END ->
    if :: heir_of[p] == q && term[p] == it -> forget_owner(p); term[p] = 0 :: else -> skip fi;
    send(p, q, SHADOW_ACK, it, DISMISSED, 0)
  :: kind == MOVED -> send(p, q, MOVED_ACK, it, 0, 0)
  :: kind == MOVED_ACK ->
    if
    :: OWNED(p) && it == term[p] && HAS(telling[p], q) ->
      DEL(telling[p], q);
      if :: q == K && value == 0 -> DEL(listed, p) :: else -> skip fi;
      may_go_on(p)
    :: else -> skip
    fi
  :: kind == RELEASE ->
    if :: OWNED(p) && !HAS(telling[p], K) -> DEL(listed, p) :: else -> skip fi
  :: kind == MOVED_ENDED ->
    if :: heir_of[p] == q -> forget_owner(p); term[p] = 0 :: else -> skip fi
  fi
}

inline apply_k(q) {
  if
  :: kind == MOVED ->
    if :: k_term < it && (copy || holds) -> k_owner = q; k_term = it :: else -> skip fi;
    send(K, q, MOVED_ACK, it, holds, 0)
  :: kind == FREE ->
    CHECK(S6_no_copy_deleted_under_a_living_owner, !holds || HAS(excluded, q));
    if :: k_owner == q -> copy = false :: else -> skip fi
  fi
}

inline fence(p) {
  ADD(fenced[p], x);
  do
  :: len(SESSION(x, p)) > 0 -> SESSION(x, p) ? kind, it, value, more
  :: else -> break
  od
}

inline read_view(p) {
  fence(p);
  if :: OWNED(p) && heir[p] == x -> end_heirship(p) :: else -> skip fi;
#ifdef NO_INHERITING
  if :: heir_of[p] == x -> forget_owner(p); term[p] = 0 :: else -> skip fi;
#else
  if :: heir_of[p] == x -> inherit(p) :: else -> skip fi;
#endif
  DEL(former[p], x);
  if :: HAS(telling[p], x) -> DEL(telling[p], x); may_go_on(p) :: else -> skip fi
}

/* The next event of the stream; gone_ids is not empty at a barrier, x is who is excluded by a view. */
inline read_event(p) {
  printf("%d: reads event %d of the membership stream\n", p, position[p]);
  event = stream[position[p]];
  position[p]++;
  gone_ids = 0;
  if
  :: event < BARRIER(0) -> x = excludes[event - VIEW(0)]
  :: else -> for (k : 0 .. event - BARRIER(0)) { ADD(gone_ids, excludes[k]) }
  fi
}

inline read_membership(p) {
  read_event(p);
  if
  :: gone_ids == 0 && x == p -> stop(p)
  :: gone_ids == 0 && x != p -> read_view(p)
  :: (awaited[p] & gone_ids) != 0 -> awaited[p] = awaited[p] & ~gone_ids; may_go_on(p)
  :: else -> skip
  fi
}

inline read_membership_of_k() {
  read_event(K);
  if
  :: gone_ids == 0 -> fence(K)
  :: HAS(gone_ids, k_owner) && (copy || holds) ->
    printf("K: the owner has died\n");
    CHECK(S3_the_prepared_heir_takes_over, !holds || (promised & ~(stopped | excluded)) == 0);
    CHECK(S6_no_copy_deleted_under_a_living_owner, !holds || OWNERS == 0);
    copy = false; holds = false
  :: else -> skip
  fi
}

/* ---- The processes --------------------------------------------------------------------------------------- */

#define MAY(guard, deed, argument) :: WORKING(p) && (guard) -> what = deed; arg = argument;
#define WAITS(q, p) (q != p && len(SESSION(q, p)) > 0)
#define SHADOW_WAITS(q, p) (WAITS(q, p) && SESSION(q, p) ? [SHADOW, _, _, _])

inline act(p) {
  if
  :: what == NAMES ->
    named = true;
    list[p] = ALL_IN_ORDER;
    drop_the_dead(p);
    if :: list[p] != 0 -> value = FIRST(list[p]); list[p] = REST(list[p]); name_heir(p, value) :: else -> skip fi
  :: what == NAMES_NEXT -> name_next(p, arg)
  :: what == DISMISSES -> printf("%d: dismisses\n", p); ADD(dismissed, p); list[p] = 0; dismiss(p)
  :: what == ASKS_TO_LEAVE ->
    printf("%d: is about to leave\n", p);
    ADD(leaves, p);
    if :: IS_HEIR(p) -> send(p, heir_of[p], SHADOW_ACK, term[p], LEAVES, 0) :: else -> skip fi
  :: what == DROPS -> held = false
  :: what == ENDS -> end_object(p)
  :: what == READ -> read_membership(p)
  :: what == CRASHES -> printf("%d: crashes\n", p); faults++; stop(p)
  fi
}

#ifdef KEPT
#define IS_KEPT true
#else
#define IS_KEPT false
#endif
#ifdef NO_DISMISSAL
#define DISMISSABLE false
#else
#define DISMISSABLE true
#endif
#ifdef NO_ONE_AT_A_TIME
#define ANOTHER(p) (OWNED(p) && heir[p] != NOBODY && list[p] != 0)
#else
#define ANOTHER(p) false
#endif
#define MAY_END(p) (OWNED(p) && !HAS(listed, p) && !(p == O && held) && telling[p] == 0 && awaited[p] == 0)

proctype Process(byte p) {
end:
  do
  :: atomic {
    if
    MAY(WAITS(0, p), DELIVER, 0)
    MAY(WAITS(1, p), DELIVER, 1)
    MAY(WAITS(2, p), DELIVER, 2)
    MAY(WAITS(3, p), DELIVER, 3)
    MAY(SHADOW_WAITS(0, p), REFUSE, 0)
    MAY(SHADOW_WAITS(1, p), REFUSE, 1)
    MAY(SHADOW_WAITS(2, p), REFUSE, 2)
#if HEIRS > 2
    MAY(WAITS(4, p), DELIVER, 4)
    MAY(SHADOW_WAITS(3, p), REFUSE, 3)
    MAY(HAS(notices[p], 3), NAMES_NEXT, 3)
#endif
    MAY(p == O && OWNED(p) && !named, NAMES, 0)
    MAY(HAS(notices[p], 1), NAMES_NEXT, 1)
    MAY(HAS(notices[p], 2), NAMES_NEXT, 2)
    MAY(ANOTHER(p), NAMES_NEXT, FIRST(list[p]))
    MAY(DISMISSABLE && OWNED(p) && !HAS(dismissed, p) && (heir[p] != NOBODY || list[p] != 0), DISMISSES, 0)
    MAY(!OWNED(p) && IS_HEIR(p) && !HAS(leaves, p), ASKS_TO_LEAVE, 0)
    MAY(!IS_KEPT && p == O && held, DROPS, 0)
    MAY(MAY_END(p), ENDS, 0)
    MAY(position[p] < streamed, READ, 0)
    MAY(faults < EXCLUSIONS && !HAS(excluded, p), CRASHES, 0)
    fi;
    if                                  /* nothing comes between: one step of all would be longer than SPIN takes */
    :: what <= REFUSE -> d_step { receive(p, arg); apply(p, arg) }
    :: else -> d_step { act(p); skip }
    fi;
    d_step {
      if
#ifdef NO_WAIT_FOR_ANSWERS
      :: WORKING(p) && views > 0 && HAS(fenced[p], excludes[views - 1]) -> ADD(reported, p)
#else
      :: WORKING(p) && views > 0 && HAS(fenced[p], excludes[views - 1]) && telling[p] == 0 -> ADD(reported, p)
#endif
      :: else -> skip
      fi;
      CHECK(S5_one_active_owner, OWNERS == 0 || (OWNERS & (OWNERS - 1)) == 0)
    }
  }
  od
}

proctype Keeper(byte p) {
end:
  do
  :: atomic {
    if
    MAY(WAITS(0, K), DELIVER, 0)
    MAY(WAITS(1, K), DELIVER, 1)
    MAY(WAITS(2, K), DELIVER, 2)
#if HEIRS > 2
    MAY(WAITS(3, K), DELIVER, 3)
#endif
    MAY(!IS_KEPT && holds && !HAS(fenced[K], k_owner), DROPS, 0)
    MAY(position[K] < streamed, READ, 0)
    fi;
    d_step {
      if
      :: what == DELIVER -> receive(K, arg); apply_k(arg)
      :: what == DROPS -> holds = false; send(K, k_owner, RELEASE, k_term, 0, 0)
      :: what == READ -> read_membership_of_k()
      fi;
      if :: views > 0 && HAS(fenced[K], excludes[views - 1]) -> ADD(reported, K) :: else -> skip fi
    }
  }
  od
}

/* ---- Membership ------------------------------------------------------------------------------------------ */

inline exclude(p) {
  printf("membership: view %d excludes %d\n", views + 1, p);
  if :: !HAS(stopped, p) -> promise(p) :: else -> skip fi;
  reported = 0;
  excludes[views] = p;
  stream[streamed] = VIEW(views);
  streamed++;
  views++;
  ADD(excluded, p)
}

inline announce_barrier() {
  printf("membership: barrier(%d)\n", views);
  stream[streamed] = BARRIER(views - 1);
  streamed++;
  closed = excluded
}

#ifdef SUSPICION
#define EXCLUSION(p) :: d_step { !HAS(excluded, p) && (HAS(stopped, p) || faults < EXCLUSIONS) -> \
    if :: HAS(stopped, p) -> skip :: else -> faults++ fi; exclude(p) }
#else
#define EXCLUSION(p) :: d_step { !HAS(excluded, p) && HAS(stopped, p) -> exclude(p) }
#endif

proctype World() {
end:
  do
  EXCLUSION(0)
  EXCLUSION(1)
  EXCLUSION(2)
#if HEIRS > 2
  EXCLUSION(3)
#endif
  :: d_step { closed != excluded && ((reported | excluded) == EVERYONE) -> announce_barrier() }
  od
}

/* ---- The end: when nothing can happen any more, nothing may be left -------------------------------------- */

/* There is an heir, or everybody on the list was tried. */
#define HAS_SECURED(p) (HAS(prepared, p) || ((tried | excluded) & NAMED) == NAMED)

proctype End() {
  timeout ->
  d_step {
    CHECK(end_every_barrier_closed, (stopped & ~excluded) == 0 && closed == excluded);
    for (k : 0 .. HEIRS) {
      if
      :: WORKING(k) ->
        CHECK(end_list_exhausted, !OWNED(k) || !named || dismissed != 0 || HAS_SECURED(k));
        CHECK(end_heirship_ended, !IS_HEIR(k) || HAS(owned, heir_of[k]));
        CHECK(end_object_gone, IS_KEPT || !OWNED(k));
        CHECK(end_heirship_ended, telling[k] == 0 && awaited[k] == 0 && notices[k] == 0)
      :: else -> skip
      fi
    }
    CHECK(end_no_copy_left, !copy || OWNERS != 0)
  }
}

init {
  d_step {
    owned = ONE(O); listed = ONE(O); term[O] = 1;
    for (k : 0 .. HEIRS) { heir[k] = NOBODY; heir_of[k] = NOBODY }
    k = 0
  }
  atomic {
    run Process(0);
    run Process(1);
    run Process(2);
#if HEIRS > 2
    run Process(3);
#endif
    run Keeper(K);
    run World();
    run End()
  }
}
